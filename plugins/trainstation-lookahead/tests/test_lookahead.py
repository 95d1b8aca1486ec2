"""Lookahead: equal to pytorch_optimizer's around torch's optimizers, and an optimizer like any other."""

import copy
import pickle

import numpy as np
import pytest
import pytorch_optimizer
import torch
from trainstation_lookahead.lookahead import Lookahead

import trainstation as ts
from trainstation.optimizers import SGD, Adam, Optimizer
from trainstation.optimizers.elementwise import flush
from trainstation.testing import check_reference

GRADIENTS = np.random.default_rng(1).standard_normal((12, 5))


def around(base):
    """Return the reference: Lookahead around one of torch's."""

    def make(groups, k=5, alpha=0.5, **options):
        return pytorch_optimizer.Lookahead(base(groups, **options), k=k, alpha=alpha)

    return make


# Name of the base, torch's class, options of both bases, options of Lookahead.
CASES = [
    ("adam", torch.optim.Adam, {}, {}),
    ("adam", torch.optim.Adam, {"weight_decay": 0.1, "betas": (0.8, 0.95)}, {"k": 3, "alpha": 0.8}),
    ("adam", torch.optim.Adam, {"weight_decay": 0.1, "amsgrad": True}, {"k": 7, "alpha": 0.1}),
    ("adam", torch.optim.Adam, {"weight_decay": 0.1}, {"k": 1, "alpha": 0.0}),
    ("adam", torch.optim.Adam, {"maximize": True}, {"k": 6}),
    ("adamw", torch.optim.AdamW, {"weight_decay": 0.1}, {}),
    ("sgd", torch.optim.SGD, {"weight_decay": 0.1}, {}),
    ("sgd", torch.optim.SGD, {"weight_decay": 0.1, "momentum": 0.9, "nesterov": True}, {"k": 4}),
    ("rmsprop", torch.optim.RMSprop, {"weight_decay": 0.1, "alpha": 0.9, "momentum": 0.5}, {"alpha": 0.3}),
]


# The reference counts the steps of a group, ours those of a parameter: with all gradients there they are the same.
@pytest.mark.parametrize(("name", "base", "options", "own"), CASES)
def test_equals_the_reference(name, base, options, own):
    given = {"lr": 0.01, "base": name, "base_options": options, **own}
    renamed = {"alpha": None, **own}
    if "alpha" in options:  # the reference's argument and its base's share a name here
        reference = around(lambda groups, **more: base(groups, **{**more, **options}))
        theirs = renamed
    else:
        reference, theirs = around(base), {**options, **renamed}
    check_reference(
        "lookahead", reference, given, theirs={**theirs, "base": None, "base_options": None}, intermittent=False
    )


def parameter(shape=(5,), dtype=np.float64, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return ts.tensor(np.asarray(values, dtype), requires_grad=True)


def made(params, **options):
    return ts.create_optimizer("lookahead", params, **{"lr": 0.1, "k": 3, **options})


def run(p, optimizer, gradients):
    for g in gradients:
        p.grad = np.array(g, p.data.dtype)
        optimizer.step()


def by_hand(p, base, gradients, k=3, alpha=0.5):
    """Step another optimizer, and do the rest of Lookahead's work."""
    slow = p.data.copy()
    for t, g in enumerate(gradients, 1):
        run(p, base, [g])
        if t % k == 0:
            slow += alpha * (p.data - slow)
            p.data[...] = slow


@pytest.mark.parametrize("options", [{}, {"state_dtype": "bfloat16"}, {"state_dtype": "8bit"}, {"max_grad_norm": 0.5}])
@pytest.mark.parametrize(
    ("base", "more"), [("adam", {"amsgrad": True}), (SGD, {"momentum": 0.9}), ("rmsprop", {"centered": True})]
)
def test_the_steps_are_the_bases_compiled_ones(base, more, options):
    """All bits are those of the base alone; only every third step is more."""
    first, second = parameter((70, 70), np.float32), parameter((70, 70), np.float32)
    gradients = np.random.default_rng(2).standard_normal((10, 70, 70))
    optimizer = made([first], base=base, base_options=more, **options)
    kind = ts.get_optimizer(base) if isinstance(base, str) else base
    alone = kind([second], lr=0.1, **more, **options)
    run(first, optimizer, gradients)
    by_hand(second, alone, gradients)
    assert first.data.tobytes() == second.data.tobytes()
    assert optimizer.last_step.isa == alone.last_step.isa != "numpy"
    for name, array in alone.state[second].items():
        assert optimizer.state[first][name].tobytes() == array.tobytes()


class Counted(Optimizer):
    """An optimizer with states of its own kind."""

    def __init__(self, params=None, lr=0.1, *, decay=0.5):
        super().__init__(params, {"lr": lr, "decay": decay})

    def init_state(self, p):
        return {"total": np.zeros(()), "trace": np.zeros_like(p.data)}

    def scalars(self, hyper, t):  # noqa: ARG002
        return hyper["lr"], hyper["decay"]

    def update(self, p, g, state, scalars):
        lr, decay = scalars
        state["total"] += 1
        state["trace"][...] = flush(decay * state["trace"] + g)
        p -= lr / state["total"] * state["trace"]


def test_a_base_with_states_of_its_own_kind():
    first, second = parameter(), parameter()
    optimizer = made([first], base=Counted, base_options={"decay": 0.25})
    run(first, optimizer, GRADIENTS)
    by_hand(second, Counted([second], decay=0.25), GRADIENTS)
    assert first.data.tobytes() == second.data.tobytes()
    assert optimizer.state[first]["total"] == len(GRADIENTS)


def test_a_state_that_is_no_longer_asked_for_is_no_longer_used():
    values = np.random.default_rng(3).standard_normal((4, 4))
    first, second = (ts.Tensor.from_numpy(values.copy().T).requires_grad_() for _ in range(2))  # `update` steps
    gradients = np.random.default_rng(4).standard_normal((8, 4, 4))
    optimizer = made([first], base_options={"amsgrad": True}, k=100)
    alone = Adam([second], lr=0.1, amsgrad=True)
    for p, each in ((first, optimizer), (second, alone)):
        run(p, each, 10 * gradients[:4])
        each.param_groups[0]["amsgrad"] = False
        run(p, each, gradients[4:])
        assert each.last_step.isa == "numpy"
    assert first.data.tobytes() == second.data.tobytes()


def test_a_parameter_has_its_own_clock():
    """One that comes late, or has no gradient now and then, goes as it would alone."""
    alone, late, other = parameter(), parameter(), parameter(seed=2)
    single, several = made([alone]), made([other])
    run(other, several, GRADIENTS[:3])
    several.add_parameter(late)
    for g in GRADIENTS:
        run(alone, single, [g])
        other.grad = None
        run(late, several, [g])
        other.grad, late.grad = g.copy(), None
        several.step()
    assert late.data.tobytes() == alone.data.tobytes()


@pytest.mark.parametrize(("steps", "k", "gradient"), [(3, 3, np.ones(5)), (4, 2, None)])
def test_a_parameter_that_makes_no_step_is_not_touched(steps, k, gradient):
    p, idle = parameter(), parameter(seed=2)
    optimizer = made([p, idle])
    for g in GRADIENTS[:steps]:
        p.grad, idle.grad = g.copy(), g.copy()
        optimizer.step()
    idle.data += 1.0  # not a parameter of this optimizer
    before = idle.data.copy()
    idle.grad = gradient
    optimizer.param_groups[0]["k"] = k  # of which its number of steps is a multiple
    for g in GRADIENTS[steps:]:
        p.grad = g.copy()
        optimizer.step([p])
        assert idle.data.tobytes() == before.tobytes()
    assert [int(optimizer.state[each]["slow_step"]) for each in (p, idle)] == [12, 3]


def test_a_step_that_is_skipped_is_no_step():
    first, second = parameter(), parameter()
    optimizer, plain = made([first], on_nonfinite="skip"), made([second])
    for g in GRADIENTS:
        run(first, optimizer, [g, np.full(5, np.nan)])
        assert optimizer.last_step.skipped
        run(second, plain, [g])
    assert first.data.tobytes() == second.data.tobytes()


@pytest.mark.parametrize("base", [{}, {"base_options": {"amsgrad": True}}, {"base": "sgd"}])
@pytest.mark.parametrize("stop", [2, 3, 4])
def test_resumes_as_if_it_had_not_stopped(base, stop):
    whole = parameter()
    run(whole, made([whole], **base), GRADIENTS)

    def load(optimizer):
        second = made(optimizer.param_groups[0]["params"], lr=1.0, k=9, alpha=0.9, **{**base, "base_options": None})
        second.load_state_dict(optimizer.state_dict())
        return second

    for again in (load, copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))):
        half = parameter()
        first = made([half], **base)
        run(half, first, GRADIENTS[:stop])
        second = again(first)
        (half,) = second.param_groups[0]["params"]
        run(half, second, GRADIENTS[stop:])
        assert half.data.tobytes() == whole.data.tobytes()


def test_is_an_optimizer_like_any_other():
    p, q = parameter(), parameter(seed=2)
    optimizer = made([{"params": [p]}, {"params": [q], "lr": 0.01, "k": 2, "alpha": 0.25, "betas": (0.5, 0.5)}])
    scheduler = ts.schedulers.StepLR(optimizer, 1, gamma=0.5)
    assert (optimizer.learning_rate(), optimizer.learning_rate(1)) == (0.1, 0.01)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum() + (q * q).sum()
        loss.backward()
        return loss

    first = closure().item()
    optimizer.train()
    for _ in range(4):
        before = p._version[0]
        assert optimizer.step(closure).item() <= first
        assert p._version[0] > before
    optimizer.eval()
    scheduler.step()
    assert (optimizer.learning_rate(), optimizer.learning_rate(1)) == (0.05, 0.005)
    assert [int(optimizer.state[each]["slow_step"]) for each in (p, q)] == [3, 4]
    optimizer.zero_grad()
    assert p.grad is q.grad is None
    assert optimizer.unlink_parameter(q)
    assert set(optimizer.state) == {p}


@pytest.mark.parametrize("shape", [(), (1,), (3, 0), (2, 3)])
def test_any_shape_in_float32(shape):
    first, second = parameter(shape, np.float32), parameter(shape, np.float32)
    gradients = np.random.default_rng(2).standard_normal((10, *shape))
    run(first, made([first]), gradients)
    by_hand(second, Adam([second], lr=0.1), gradients)
    assert first.data.dtype == np.float32
    assert first.data.tobytes() == second.data.tobytes()


def test_infinite_weights_are_no_warning():
    p = parameter()
    optimizer = made([p], base="sgd", k=1)
    run(p, optimizer, [np.full(5, np.inf)] * 2)
    assert np.isnan(p.data).all()


def test_slow_weights_that_no_longer_fit_are_an_error():
    p = parameter()
    optimizer = ts.create_optimizer("lookahead", [("w", p)], base="sgd", k=2)
    run(p, optimizer, GRADIENTS[:1])
    p.data = np.ones((1, 5))
    with pytest.raises(ts.ShapeError, match=r"'w'.*slow_params"):
        run(p, optimizer, GRADIENTS[:1, None])


def test_options_of_the_base_are_kept():
    options = {"state_dtype": "8bit", "max_grad_norm": 1.0, "on_nonfinite": "raise"}
    optimizer = made(None, base_options={**options, "maximize": True})
    assert {name: getattr(optimizer, name) for name in options} == options
    assert optimizer.defaults["maximize"]
    optimizer = made(None, base="rmsprop", base_options={"alpha": 0.9}, alpha=0.25)
    assert (optimizer.defaults["alpha"], optimizer.defaults["base_alpha"]) == (0.25, 0.9)


class Together(SGD):
    def prepare(self, active):
        """Look at all."""


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"k": 0}, ValueError, "Invalid k value: 0"),
        ({"k": 2.5}, ValueError, "Invalid k value: 2.5"),
        ({"alpha": 1.5}, ValueError, "Invalid alpha value: 1.5"),
        ({"alpha": 1.5, "base": "rmsprop"}, ValueError, "Invalid alpha value: 1.5"),
        ({"lr": -1}, ValueError, "Invalid learning rate: -1"),
        ({"base_options": {"betas": (0.9, 1.0)}}, ValueError, "Invalid beta parameter at index 1"),
        ({"base": "rmsprop", "base_options": {"alpha": 1.5}}, ValueError, "Invalid alpha value: 1.5"),
        ({"base_options": {"momentum": 0.9}}, TypeError, "momentum"),
        ({"base_options": {"lr": 0.1}}, TypeError, "lr"),
        ({"momentum": 0.9}, TypeError, "momentum"),
        ({"base": Adam()}, TypeError, "name or the class"),
        ({"base": "lookahead"}, TypeError, r"Lookahead is more: it has follow_up\(\)"),
        ({"base": Together}, TypeError, r"Together is more: it has prepare\(\)"),
        ({"base": "no_such"}, ts.UnknownOptimizerError, "no_such"),
    ],
)
def test_refuses_what_is_wrong(options, error, text):
    with pytest.raises(error, match=text):
        ts.create_optimizer("lookahead", **options)


def test_a_changed_group_is_checked_at_the_next_step():
    p = parameter()
    optimizer = made([p], base="rmsprop")
    run(p, optimizer, GRADIENTS[:1])
    for name in ("k", "base_alpha"):
        optimizer.param_groups[0][name], former = -1, optimizer.param_groups[0][name]
        with pytest.raises(ValueError, match=rf"Invalid {name.removeprefix('base_')} value: -1"):
            optimizer.step()
        optimizer.param_groups[0][name] = former
    optimizer.step()
    assert optimizer.state[p]["step"] == 2


def test_is_found_by_name_after_installation():
    info = ts.optimizer_info("lookahead")
    assert (info.name, info.distribution, info.origin) == ("lookahead", "trainstation-lookahead", "plugin")
    assert ts.get_optimizer("lookahead") is Lookahead
    assert type(ts.create_optimizer("lookahead").base) is Adam
