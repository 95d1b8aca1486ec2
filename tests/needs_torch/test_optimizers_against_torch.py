"""The four optimizers against torch's own, in float64 and float32, with every flag."""

import itertools

import numpy as np
import pytest
import torch
from cases import REFUSED

import trainstation as ts
from trainstation import optimizers

CASES = [
    *[
        ("Adam", {"weight_decay": wd, "amsgrad": a, "maximize": m})
        for wd, a, m in itertools.product([0, 0.1], *[[False, True]] * 2)
    ],
    *[
        ("AdamW", {"weight_decay": wd, "amsgrad": a, "maximize": m})
        for wd, a, m in itertools.product([0, 0.1], *[[False, True]] * 2)
    ],
    *[
        ("SGD", {"weight_decay": wd, "momentum": mo, "maximize": m})
        for wd, mo, m in itertools.product([0, 0.1], [0, 0.9], [False, True])
    ],
    ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    *[
        ("RMSprop", {"weight_decay": wd, "momentum": mo, "centered": c, "maximize": c})
        for wd, mo, c in itertools.product([0, 0.1], [0, 0.9], [False, True])
    ],
]


def pair(name, hyper, dtype):
    """Our optimizer and torch's over equal parameters in two groups."""
    rng = np.random.default_rng(5)
    values = [rng.standard_normal(shape).astype(dtype) for shape in [(4, 3), (7,), (), (0,), (33,)]]
    ours = [ts.tensor(v, requires_grad=True) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    groups = [{"params": slice(0, 3)}, {"params": slice(3, 5), "lr": 0.02}]
    mine = getattr(optimizers, name)([{**g, "params": ours[g["params"]]} for g in groups], lr=0.01, **hyper)
    reference = getattr(torch.optim, name)(
        [{**g, "params": theirs[g["params"]]} for g in groups], lr=0.01, **hyper, foreach=False
    )
    return ours, theirs, mine, reference


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_equals_torch_over_1000_steps_in_float64(name, hyper):
    ours, theirs, mine, reference = pair(name, hyper, np.float64)
    late_ours, late_theirs = ts.tensor(np.ones(6), requires_grad=True), torch.nn.Parameter(torch.ones(6).double())
    rng = np.random.default_rng(6)
    for t in range(1000):
        if t == 500:
            mine.add_param_group({"params": [late_ours]})
            reference.add_param_group({"params": [late_theirs]})
            ours, theirs = [*ours, late_ours], [*theirs, late_theirs]
        for index, (p, q) in enumerate(zip(ours, theirs, strict=True)):
            g = None if (t + index) % 5 == 0 else rng.standard_normal(p.shape)
            p.grad, q.grad = g, None if g is None else torch.tensor(g)
        mine.step()
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_equals_torch_over_10_steps_in_float32(name, hyper):
    ours, theirs, mine, reference = pair(name, hyper, np.float32)
    rng = np.random.default_rng(7)
    for _ in range(10):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = rng.standard_normal(p.shape).astype(np.float32)
            q.grad = torch.tensor(p.grad.data)
        mine.step()
        reference.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(torch.from_numpy(p.data), q.detach())


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_1000_steps_in_float32_are_as_near_to_float64_as_torchs(name, hyper):
    """The root of the mean squared error; both are mostly the rounding of the values themselves, hence the 1 %."""
    torch.set_num_threads(1)  # small tensors: its threads would only wait for one another
    n, rng = 8192, np.random.default_rng(3)
    values = rng.standard_normal(n).astype(np.float32)
    p = ts.tensor(values, requires_grad=True)
    single, double = (torch.nn.Parameter(torch.tensor(values).to(dtype)) for dtype in (torch.float32, torch.float64))
    mine = getattr(optimizers, name)([p], lr=0.01, **hyper)
    theirs, exact = (getattr(torch.optim, name)([q], lr=0.01, **hyper, foreach=False) for q in (single, double))
    for _ in range(1000):
        g = (rng.standard_normal(n) + 0.3).astype(np.float32)
        p.grad, single.grad, double.grad = g, torch.from_numpy(g), torch.from_numpy(g).double()
        for optimizer in (mine, theirs, exact):
            optimizer.step()
    oracle = double.detach().numpy()
    error, their_error = (np.abs(each.astype(np.float64) - oracle) for each in (p.data, single.detach().numpy()))
    assert their_error.mean() > 0
    assert np.sqrt((error**2).mean()) <= 1.01 * np.sqrt((their_error**2).mean())
    assert error.max() <= 1.25 * their_error.max()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_tiny_gradients_move_as_torchs_do(name):
    """B14 of pitfalls.md: eps was once scaled by the bias correction. With 1e-10 it is what matters."""
    p, q = ts.tensor(np.ones(5), requires_grad=True), torch.nn.Parameter(torch.ones(5).double())
    mine, reference = getattr(optimizers, name)([p], lr=0.1), getattr(torch.optim, name)([q], lr=0.1)
    for t in range(20):
        g = np.linspace(-1e-10, 1e-10, 5) * (1 + t % 3)
        p.grad, q.grad = g, torch.tensor(g)
        mine.step()
        reference.step()
    np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-12, atol=0)
    beta1, beta2, eps, lr, g = 0.9, 0.999, 1e-8, 0.1, 1e-10
    ours = lr * g / (g + eps)
    old = lr * np.sqrt(1 - beta2) / (1 - beta1) * (1 - beta1) * g / (np.sqrt(1 - beta2) * g + eps)
    assert abs(ours - old) > 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_max_grad_norm_is_torchs_clip_grad_norm(name, dtype):
    ours, theirs, mine, reference = pair(name, {}, dtype)
    mine.max_grad_norm = 1.5
    rng = np.random.default_rng(8)
    for t in range(20):
        for p, q in zip(ours, theirs, strict=True):
            p.grad = np.asarray(rng.standard_normal(p.shape) * 10.0 ** (t % 4 - 2), dtype)
            q.grad = torch.tensor(p.grad.data)
        norm = torch.nn.utils.clip_grad_norm_(theirs, 1.5)
        mine.step()
        reference.step()
        assert mine.last_step.grad_norm == pytest.approx(norm.item(), rel=1e-6 if dtype == np.float32 else 1e-14)
    tolerance = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_state_dicts_have_torchs_keys(name):
    hyper = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
    ours, theirs, mine, reference = pair(name, hyper, np.float32)
    for p, q in zip(ours, theirs, strict=True):
        p.grad, q.grad = np.ones(p.shape, np.float32), torch.ones(p.shape)
    mine.step()
    reference.step()
    saved, expected = mine.state_dict(), reference.state_dict()
    assert {k: set(v) - {"step"} for k, v in saved["state"].items()} == {
        k: set(v) - {"step"} for k, v in expected["state"].items()
    }
    assert [g["params"] for g in saved["param_groups"]] == [g["params"] for g in expected["param_groups"]]


@pytest.mark.parametrize(
    ("name", "hyper"),
    REFUSED,
)
def test_errors_have_torchs_words(name, hyper):
    with pytest.raises(ValueError, match=r"Invalid|Nesterov") as theirs:
        getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(1))], **hyper)
    with pytest.raises(ValueError, match=r"Invalid|Nesterov") as ours:
        getattr(optimizers, name)(**hyper)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_signatures_begin_as_torchs(name):
    import inspect

    ours = inspect.signature(getattr(optimizers, name)).parameters
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    positional = [n for n, p in ours.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == list(theirs)[: len(positional)]
    assert {n: ours[n].default for n in positional[1:]} == {n: theirs[n].default for n in positional[1:]}


def test_a_torch_parameter_is_shown_the_right_door():
    with pytest.raises(TypeError, match=r"Tensor\.from_numpy"):
        optimizers.Adam([torch.nn.Parameter(torch.ones(3))])


def test_torch_memory_can_be_stepped_through_from_numpy():
    theirs = torch.ones(3)
    p = ts.Tensor.from_numpy(theirs.numpy())
    p.grad = np.ones(3, np.float32)
    optimizers.SGD([p], lr=0.5).step()
    assert torch.equal(theirs, torch.full((3,), 0.5))
