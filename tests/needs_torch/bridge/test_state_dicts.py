"""State dicts between native optimizers and torch's own, to the bit."""

import io

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.interop.torch import load_torch_state_dict, torch_state_dict

CASES = [
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {"lr": 0.01, "betas": (0.8, 0.9)}),
    ("AdamW", {"lr": 0.01, "amsgrad": True}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True}),
]
SHAPES = [(3, 4), (5,), ()]


def both(name, options, dtype):
    """The same parameters in a native optimizer and in torch's own."""
    rng = np.random.default_rng(0)
    values = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    ours = [ts.Tensor.from_numpy(each.copy()).requires_grad_() for each in values]
    theirs = [torch.nn.Parameter(torch.from_numpy(each.copy())) for each in values]
    native = getattr(ts.optimizers, name)([{"params": ours[:2]}, {"params": ours[2:], "lr": 0.02}], **options)
    other = getattr(torch.optim, name)([{"params": theirs[:2]}, {"params": theirs[2:], "lr": 0.02}], **options)
    return native, other


def step(optimizer, seed, skip=()):
    rng = np.random.default_rng(seed)
    number = 0
    for group in optimizer.param_groups:
        for p in group["params"]:
            gradient = np.asarray(rng.standard_normal(tuple(p.shape)), str(p.dtype).removeprefix("torch."))
            if number not in skip:
                p.grad = torch.from_numpy(gradient) if isinstance(p, torch.Tensor) else gradient
            number += 1
    optimizer.step()


def values(optimizer):
    return [np.array(p.detach().numpy()) for group in optimizer.param_groups for p in group["params"]]


def put(optimizer, arrays):
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for p, array in zip(parameters, arrays, strict=True):
        p.data[...] = torch.from_numpy(array) if isinstance(p, torch.Tensor) else array


def compare(native, other):
    """Every state, bit for bit, and every hyper-parameter that both have."""
    ours, theirs = native.state_dict(), other.state_dict()
    for number, state in theirs["state"].items():
        for name, value in state.items():
            assert value.dtype == (
                torch.float32 if name == "step" else getattr(torch, str(ours["state"][number][name].dtype))
            )
            np.testing.assert_array_equal(value.numpy(), ours["state"][number][name])
    for group, their in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert {name: their[name] for name in group} == group


def close(native, other):
    for a, b in zip(values(native), values(other), strict=True):
        limits = {"rtol": 1e-5, "atol": 1e-6} if a.dtype == np.float32 else {"rtol": 1e-12, "atol": 0}
        np.testing.assert_allclose(a, b, **limits)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_from_ours_to_torchs(name, options, dtype):
    native, other = both(name, options, dtype)
    for seed in range(4):
        step(native, seed, skip=[1])  # the second has no gradient, and no state
    file = io.BytesIO()
    torch.save(torch_state_dict(native), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    put(other, values(native))
    compare(native, other)
    for seed in range(4, 8):
        step(native, seed)
        step(other, seed)
    close(native, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_from_torchs_to_ours(name, options, dtype):
    native, other = both(name, options, dtype)
    for group in other.param_groups:
        group["lr"] /= 2
    for seed in range(4):
        step(other, seed, skip=[1])
    load_torch_state_dict(native, other.state_dict())
    put(native, values(other))
    compare(native, other)
    assert [group["lr"] for group in native.param_groups] == [options["lr"] / 2, 0.01]
    for seed in range(4, 8):
        step(native, seed)
        step(other, seed)
    close(native, other)


def test_nothing_is_shared():
    native, other = both("Adam", {"lr": 0.01}, "float32")
    step(native, 0)
    given = torch_state_dict(native)
    given["state"][0]["exp_avg"].fill_(7)
    assert not (native.state_dict()["state"][0]["exp_avg"] == 7).any()
    step(other, 0)
    load_torch_state_dict(native, other.state_dict())
    other.state_dict()["state"][0]["exp_avg"].fill_(7)
    assert not (native.state_dict()["state"][0]["exp_avg"] == 7).any()


def test_a_rate_that_is_a_tensor_becomes_a_number():
    native, other = both("Adam", {"lr": 0.5}, "float32")
    other.param_groups[0]["lr"] = torch.tensor(0.25)
    load_torch_state_dict(native, other.state_dict())
    assert [group["lr"] for group in native.param_groups] == [0.25, 0.02]


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ("Adam", "SGD", "another class than torch's Adam: 'amsgrad' tells"),
        ("Adam", "AdamW", "is of AdamW, not of Adam"),
        ("AdamW", "Adam", "is of Adam, not of AdamW"),
        ("SGD", "RMSprop", "another class than torch's SGD: 'dampening' tells"),
    ],
)
def test_a_state_of_another_class_is_refused(ours, theirs, words):
    native, _ = both(ours, {"lr": 0.01}, "float32")
    _, other = both(theirs, {"lr": 0.01}, "float32")
    step(native, 0)
    step(other, 0)
    before = repr(native.state_dict())
    with pytest.raises(ValueError, match=words):
        load_torch_state_dict(native, other.state_dict())
    assert repr(native.state_dict()) == before


def test_what_does_not_fit_is_refused():
    native, other = both("Adam", {"lr": 0.01}, "float32")
    step(other, 0)
    good = other.state_dict()
    bad = {**good, "state": {**good["state"], 0: {**good["state"][0], "exp_avg": torch.zeros(7)}}}
    with pytest.raises(ts.ShapeError, match=r"exp_avg has shape \(7,\)"):
        load_torch_state_dict(native, bad)
    assert not native.state
    narrow = ts.optimizers.Adam([ts.tensor([1.0], requires_grad=True)], state_dtype="8bit")
    with pytest.raises(ValueError, match="states kept in 8bit"):
        torch_state_dict(narrow)
    lion = ts.create_optimizer("lion", [ts.tensor([1.0], requires_grad=True)])
    for use in (torch_state_dict, lambda it: load_torch_state_dict(it, good)):
        with pytest.raises(TypeError, match="torch has no Lion; Adam, AdamW, SGD, RMSprop"):
            use(lion)
