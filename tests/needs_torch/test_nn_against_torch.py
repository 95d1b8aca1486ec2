"""Every layer, loss and initial value against torch's in float64."""

import copy
import inspect

import numpy as np
import pytest
import torch
from layers import CASES, SIZES, apart, classes, every_case, normal

import trainstation as ts
from trainstation.nn import functional

F = torch.nn.functional
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


class Spelled:
    """Lets the cases find torch's classes under our names."""

    def __getattr__(self, name):
        return getattr(torch.nn, {"MultiHeadAttention": "MultiheadAttention"}.get(name, name))


class Torch:
    nn = Spelled()
    tensor = staticmethod(torch.tensor)


def twins(make, sizes=SIZES):
    """The same module twice, with the same parameters and buffers, and the inputs."""
    (ours, inputs), (theirs, _) = make(ts, sizes), make(Torch, sizes)
    ours.double()
    theirs.double()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs, inputs


def close(ours, theirs, what=None):
    theirs = theirs.detach().numpy()
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(ours.numpy(), theirs, **CLOSE, err_msg=what)


def compare(ours, theirs, inputs, options=({}, {})):
    """Compare values, gradients of inputs and parameters, and buffers."""
    mine = [ts.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    twin = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    values, expected = ours(*mine, **options[0]), theirs(*twin, **options[1])
    pairs = list(zip(values, expected, strict=True)) if isinstance(values, tuple) else [(values, expected)]
    for value, wanted in pairs:
        assert (value is None) == (wanted is None)
        if value is not None:
            close(value, wanted, "value")
    value, wanted = pairs[0]
    if wanted.requires_grad:
        along = normal(*value.shape, seed=9)
        value.backward(along)
        wanted.backward(torch.tensor(along))
    for x, y in zip(mine, twin, strict=True):
        if y.grad is not None:
            close(x.grad, y.grad, "gradient of an input")
    for (name, x), (also, y) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == also
        close(x.grad, y.grad, name)
    for (name, x), (also, y) in zip(ours.named_buffers(), theirs.named_buffers(), strict=True):
        assert name == also
        close(x, y, name)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")  # torch copies there
@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in every_case()])
def test_values_and_gradients(make):
    ours, theirs, inputs = twins(make)
    options = ({"need_weights": True}, {}) if isinstance(ours, ts.nn.MultiHeadAttention) else ({}, {})
    compare(ours, theirs, inputs, options)
    ours.zero_grad()
    theirs.zero_grad()
    compare(ours.eval(), theirs.eval(), inputs, options)


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in every_case()])
def test_names_shapes_and_repr(make):
    (ours, _), (theirs, _) = make(ts, SIZES), make(Torch, SIZES)
    assert [(name, x.shape) for name, x in ours.state_dict().items()] == [
        (name, tuple(x.shape)) for name, x in theirs.state_dict().items()
    ]
    text = repr(theirs).replace("NonDynamicallyQuantizableLinear", "Linear").replace("Multihead", "MultiHead")
    assert repr(ours) == text


@pytest.mark.parametrize("name", [name for name in CASES if name != "MultiHeadAttention"])
def test_positional_arguments_are_torchs(name):
    """Our arguments by position are the first of torch's, with its defaults; those by keyword are torch's too."""
    ours, theirs = (inspect.signature(getattr(nn, name)).parameters for nn in (ts.nn, torch.nn))
    if any(p.kind is p.VAR_POSITIONAL for p in theirs.values()):
        return
    required = {"Softmax": {"dim"}, "LogSoftmax": {"dim"}}.get(name, set())  # torch guesses, with a warning
    known = [p for p in ours.values() if p.name != "dtype"]
    by_position = [p.name for p in known if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert by_position == list(theirs)[: len(by_position)]
    assert {p.name: p.default for p in known if p.name not in required} == {
        p.name: theirs[p.name].default for p in known if p.name not in required
    }


def causal(n):
    return ~np.tri(n, dtype=bool)


MASKS = {
    "none": ({}, {}),
    "causal": ({"is_causal": True}, {"attn_mask": torch.tensor(causal(5)), "is_causal": True}),
    "bool": tuple({"attn_mask": make(causal(5))} for make in (ts.tensor, torch.tensor)),
    "numbers": tuple({"attn_mask": make(normal(5, 5, seed=7))} for make in (ts.tensor, torch.tensor)),
    "one a head": tuple({"attn_mask": make(normal(6, 5, 5, seed=7))} for make in (ts.tensor, torch.tensor)),
    "padding": tuple(
        {"key_padding_mask": make(np.arange(15).reshape(3, 5) % 4 == 1)} for make in (ts.tensor, torch.tensor)
    ),
    "padding and causal": tuple(
        {"key_padding_mask": make(np.arange(15).reshape(3, 5) % 5 > 2), **mask}
        for make, mask in ((ts.tensor, {"is_causal": True}), (torch.tensor, {"attn_mask": torch.tensor(causal(5))}))
    ),
}


@pytest.mark.parametrize("masks", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("is_self", [False, True])
def test_attention(masks, need_weights, batch_first, is_self):
    ours, theirs, inputs = twins(
        lambda lib, s: (
            lib.nn.MultiheadAttention(8, 2, batch_first=batch_first),
            [normal(*((3, 5) if batch_first else (5, 3)), 8, seed=i) for i in range(3)],
        )
    )

    def options(mask):
        return {**mask, "need_weights": need_weights, "average_attn_weights": not batch_first}

    if is_self:  # one tensor three times
        mine, twin = ours.forward, theirs.forward
        ours.forward = lambda x, **kw: mine(x, x, x, **kw)
        theirs.forward = lambda x, **kw: twin(x, x, x, **kw)
        inputs = inputs[:1]
    compare(ours, theirs, inputs, (options(masks[0]), options(masks[1])))


def test_attention_of_one_sequence():
    ours, theirs, _ = twins(lambda lib, s: (lib.nn.MultiheadAttention(8, 2), []))
    inputs = [normal(4, 8), normal(5, 8, seed=1), normal(5, 8, seed=2)]
    compare(ours, theirs, inputs, ({"need_weights": True}, {"need_weights": True}))


FUNCTIONS = {
    "sdpa": (lambda f, t: f.scaled_dot_product_attention(*t[:3]), [normal(2, 3, 4, 5, seed=i) for i in range(3)]),
    "sdpa causal": (
        lambda f, t: f.scaled_dot_product_attention(*t[:3], is_causal=True, scale=0.3),
        [normal(2, 4, 5, seed=i) for i in range(3)],
    ),
    "sdpa bool": (
        lambda f, t: f.scaled_dot_product_attention(*t[:3], t[3] > -1),
        [*(normal(2, 4, 5, seed=i) for i in range(3)), normal(4, 4, seed=3)],
    ),
    "sdpa numbers": (
        lambda f, t: f.scaled_dot_product_attention(*t),
        [*(normal(2, 4, 5, seed=i) for i in range(3)), normal(2, 4, 4, seed=3)],
    ),
    "normalize": (lambda f, t: f.normalize(t[0]), [apart(3, 4)]),
    "normalize p dim": (lambda f, t: f.normalize(t[0], 3.0, 0), [apart(3, 4)]),
    "normalize zeros": (lambda f, t: f.normalize(t[0]), [np.array([[0.0, 0.0], [3.0, 4.0]])]),
    "conv unbatched": (lambda f, t: f.conv2d(*t, padding="same"), [normal(2, 5, 6), normal(3, 2, 4, 3), normal(3)]),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")  # torch says so once
@pytest.mark.parametrize(("call", "inputs"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions(call, inputs):
    mine, twin = ([make(x, requires_grad=True) for x in inputs] for make in (ts.tensor, torch.tensor))
    value, wanted = call(functional, mine), call(F, twin)
    close(value, wanted)
    value.sum().backward()
    wanted.sum().backward()
    for x, y in zip(mine, twin, strict=True):
        if y.grad is not None:
            close(x.grad, y.grad)


def test_the_padding_row_of_an_embedding():
    ours, theirs, _ = twins(lambda lib, s: (lib.nn.Embedding(5, 3, padding_idx=-2), []))
    assert repr(ours) == repr(theirs)
    compare(ours, theirs, [np.array([[0, 3, 3], [4, 0, 1]])])


@pytest.mark.parametrize("arguments", [([2, 0, 1],), ([[2], [0]], 5), (1, 3)])
def test_one_hot(arguments):
    close(
        functional.one_hot(ts.tensor(arguments[0]), *arguments[1:]),
        F.one_hot(torch.tensor(arguments[0]), *arguments[1:]),
    )


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"weight": np.array([1.0, 2.0, 3.0])}])
@pytest.mark.parametrize("extreme", [[[1000.0, -1000.0, 0.0]], [[0.0, -np.inf, 1.0]]])
def test_extreme_logits(extreme, options):
    def run(lib):
        x = lib.tensor(np.array(extreme), requires_grad=True)
        given = {key: lib.tensor(value) if key == "weight" else value for key, value in options.items()}
        loss = lib.nn.functional.cross_entropy(x, lib.tensor([2]), **given)
        loss.backward()
        return loss, x.grad

    (loss, gradient), (expected, wanted) = run(ts), run(torch)
    close(loss, expected)
    close(gradient, wanted)


def model(lib):
    nn = lib.nn
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8, bias=False), nn.ReLU(), nn.Linear(8, 4))


def test_twenty_steps_of_an_mlp():
    ours, theirs, _ = twins(lambda lib, s: (model(lib), []))
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((32, 6)), classes(4, 32)
    losses = ts.nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    for _ in range(20):
        loss = losses[0](ours(ts.tensor(x)), ts.tensor(targets))
        expected = losses[1](theirs(torch.tensor(x)), torch.tensor(targets))
        loss.backward()
        expected.backward()
        close(loss, expected)
        for parameter, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
            close(parameter.grad, twin.grad)
            parameter.data -= 0.5 * parameter.grad.data
            with torch.no_grad():
                twin.sub_(0.5 * twin.grad)
        ours.zero_grad()
        theirs.zero_grad()
    for parameter, twin in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(parameter, twin)


def test_ten_batches_of_batch_norm_in_training_and_then_evaluation():
    ours, theirs, _ = twins(lambda lib, s: (lib.nn.BatchNorm1d(3, momentum=None), []))
    for i in range(10):
        compare(ours, theirs, [normal(4, 3, seed=i)])
        ours.zero_grad()
        theirs.zero_grad()
    compare(copy.deepcopy(ours).eval(), copy.deepcopy(theirs).eval(), [normal(1, 3)])


def test_the_repr_of_lists_and_of_models():
    for make in (
        lambda nn: nn.ModuleList([nn.Linear(1, 2), nn.Linear(1, 2), nn.ReLU()]),
        lambda nn: nn.ModuleList(),
        lambda nn: nn.Sequential(nn.Sequential(nn.Tanh()), nn.Sigmoid()),
        lambda nn: nn.Sequential(),
        lambda nn: nn.Sequential(nn.ModuleList([nn.ReLU()] * 3))[:1],
    ):
        assert repr(make(ts.nn)) == repr(make(torch.nn))
