"""trainstation.interop.torch against torch's own optimizers and against the native ones."""

import inspect
import itertools

import numpy as np
import pytest
import torch
from cases import REFUSED

import trainstation as ts
from trainstation.interop import torch as bridge

torch.set_num_threads(1)

CASES = [
    *[
        (name, {"weight_decay": wd, "amsgrad": a, "maximize": m})
        for name, wd, a, m in itertools.product(["Adam", "AdamW"], [0, 0.1], *[[False, True]] * 2)
    ],
    ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
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
SHAPES = [(4, 3), (7,), (), (0,), (33,)]


def parameters(dtype, shapes=SHAPES, seed=5):
    rng = np.random.default_rng(seed)
    return [torch.nn.Parameter(torch.tensor(rng.standard_normal(shape), dtype=dtype)) for shape in shapes]


def pair(name, hyper, dtype):
    """Ours and torch's over equal parameters in two groups."""
    made = []
    for module, flags in ((bridge, {}), (torch.optim, {"foreach": False})):
        ps = parameters(dtype)
        groups = [{"params": ps[:3]}, {"params": ps[3:], "lr": 0.02}]
        made.append((ps, getattr(module, name)(groups, lr=0.01, **hyper, **flags)))
    return made


def give(ps, qs, gradient):
    for p, q in zip(ps, qs, strict=True):
        g = gradient(p)
        p.grad, q.grad = g, None if g is None else g.clone()


def normal(rng):
    return lambda p: torch.tensor(rng.standard_normal(p.shape), dtype=p.dtype)


def same(ps, qs, tolerance=1e-12):
    for p, q in zip(ps, qs, strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_equals_torch_over_1000_steps_in_float64(name, hyper):
    """With missing gradients, a layer that is frozen for a while, and a group that comes late."""
    (ps, ours), (qs, theirs) = pair(name, hyper, torch.float64)
    rng = np.random.default_rng(6)
    for t in range(1000):
        if t == 500:
            for many, optimizer in ((ps, ours), (qs, theirs)):
                many.append(torch.nn.Parameter(torch.ones(6).double()))
                optimizer.add_param_group({"params": many[-1:], "lr": 0.003})
        for index, (p, q) in enumerate(zip(ps, qs, strict=True)):
            missing = (t + index) % 50 == 0 or (index == 1 and 200 <= t < 400)
            give([p], [q], (lambda p: None) if missing else normal(rng))
        ours.step()
        theirs.step()
    same(ps, qs)


@pytest.mark.parametrize(("name", "hyper"), CASES)
def test_equals_torch_over_10_steps_in_float32(name, hyper):
    (ps, ours), (qs, theirs) = pair(name, hyper, torch.float32)
    rng = np.random.default_rng(7)
    for _ in range(10):
        give(ps, qs, normal(rng))
        ours.step()
        theirs.step()
    for p, q in zip(ps, qs, strict=True):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize(
    ("name", "hyper"), [case for case in CASES if case[1].get("weight_decay") and not case[1].get("maximize")]
)
def test_1000_steps_in_float32_are_as_near_to_float64_as_torchs(name, hyper):
    """The root of the mean squared error; both are mostly the rounding of the values themselves, hence the 1 %."""
    rng = np.random.default_rng(3)
    (p,) = parameters(torch.float32, [(8192,)])
    q, exact = (torch.nn.Parameter(p.detach().to(dtype, copy=True)) for dtype in (torch.float32, torch.float64))
    makers = [(bridge, p), (torch.optim, q), (torch.optim, exact)]
    optimizers = [getattr(module, name)([each], lr=0.01, **hyper) for module, each in makers]
    for _ in range(1000):
        g = torch.from_numpy((rng.standard_normal(8192) + 0.3).astype(np.float32))
        p.grad, q.grad, exact.grad = g, g, g.double()
        for optimizer in optimizers:
            optimizer.step()
    error, theirs = ((each.detach().double() - exact.detach()).square().mean().sqrt() for each in (p, q))
    assert theirs > 0
    assert error <= 1.01 * theirs


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
@pytest.mark.parametrize("start", [10_000, 2**24 - 3])
def test_equals_torch_late_and_counts_past_float32(name, start):
    (ps, ours), (qs, theirs) = pair(name, {"betas": (0.9, 0.99999)} if name.startswith("Adam") else {}, torch.float64)
    rng = np.random.default_rng(8)
    give(ps, qs, normal(rng))
    ours.step()
    theirs.step()
    for p, q in zip(ps, qs, strict=True):
        for state in (ours.state[p], theirs.state[q]):
            if "step" in state:
                state["step"].fill_(start)
    for _ in range(10):
        give(ps, qs, normal(rng))
        ours.step()
        theirs.step()
    same(ps, qs)
    assert ours._native.state[ours._views[ps[0]]]["step"] == start + 10
    assert ours.state[ps[0]]["step"] == np.float32(start + 10)


@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("Adam", {}),
        ("Adam", {"amsgrad": True}),
        ("AdamW", {"weight_decay": 0.1}),
        ("SGD", {}),
        ("SGD", {"momentum": 0.9}),
        ("RMSprop", {}),
        ("RMSprop", {"momentum": 0.9, "centered": True}),
    ],
)
def test_state_dicts_go_from_ours_to_torchs_and_back(name, hyper):
    (ps, ours), (qs, theirs) = pair(name, hyper, torch.float64)
    rng = np.random.default_rng(9)

    def steps(count):
        for _ in range(count):
            give(ps, qs, normal(rng))
            ours.step()
            theirs.step()

    steps(5)
    extra = {"step"} if name == "SGD" else set()
    for mine, other in zip(ours.state_dict()["state"].values(), theirs.state_dict()["state"].values(), strict=False):
        assert set(mine) - extra == {key for key, value in other.items() if value is not None}
        for key in set(other) & set(mine):
            assert mine[key].dtype == other[key].dtype
            torch.testing.assert_close(mine[key], other[key], rtol=1e-12, atol=1e-12)
    mine, other = ours.state_dict(), theirs.state_dict()
    assert [set(g) for g in mine["param_groups"]] == [set(g) for g in other["param_groups"]]
    for group in [*mine["param_groups"], *other["param_groups"]]:
        group["lr"] = 0.05
    theirs.load_state_dict(mine)
    ours.load_state_dict(other)
    steps(5)
    same(ps, qs)
    assert theirs.param_groups[1]["lr"] == ours.param_groups[1]["lr"] == 0.05


def test_a_loaded_state_is_a_copy():
    """B4 of pitfalls.md: two optimizers shared buffers."""
    ps, qs = parameters(torch.float32), parameters(torch.float32)
    ours, other = bridge.Adam(ps), bridge.Adam(qs)
    give(ps, qs, torch.ones_like)
    ours.step()
    saved = ours.state_dict()
    before = {k: {n: v.clone() for n, v in s.items()} for k, s in saved["state"].items()}
    other.load_state_dict(saved)
    other.step()
    theirs = torch.optim.Adam(qs)
    theirs.load_state_dict(saved)
    assert all(torch.equal(ours.state[p][n], before[i][n]) for i, p in enumerate(ps) for n in before[i])
    theirs.step()
    assert [ours.state[p]["step"].item() for p in ps] == [1.0] * len(ps)


def first_party():
    return [name for name in ts.list_optimizers() if ts.optimizer_info(name).distribution != "trainstation-peers"]


@pytest.mark.parametrize("name", first_party())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_registered_optimizer_steps_tensors_as_it_steps_arrays(name, dtype):
    shapes = [(4, 6), (7,), (), (0,), (3, 2, 2), (500,)]
    ps = parameters(dtype, shapes)
    ours = [ts.tensor(p.detach().numpy().copy(), requires_grad=True) for p in ps]
    native = ts.create_optimizer(name, ours)
    optimizer = ts.create_optimizer(name, iter(ps))
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert type(optimizer).__name__ == type(native).__name__
    assert type(ts.create_optimizer(name, [("w", ps[0])])) is type(optimizer)
    assert type(ts.create_optimizer(name, [{"params": (p for p in ps)}])) is type(optimizer)
    rng = np.random.default_rng(11)
    for t in range(12):
        for p, q in zip(ps, ours, strict=True):
            p.grad = normal(rng)(p) if t != 4 or p.ndim else None
            q.grad = None if p.grad is None else p.grad.numpy().copy()
        if t == 7:
            optimizer.param_groups[0]["lr"] = native.param_groups[0]["lr"] = 0.0123
        if t == 9:  # goes on in a fresh one
            saved = optimizer.state_dict()
            optimizer = ts.create_optimizer(name, ps)
            optimizer.load_state_dict(saved)
        optimizer.step()
        native.step()
    for p, q in zip(ps, ours, strict=True):
        assert p.detach().numpy().tobytes() == q.data.tobytes()
    assert {n for n, v in optimizer.state[ps[0]].items() if isinstance(v, torch.Tensor)} <= set(native.state[ours[0]])
    assert optimizer.state[ps[0]].keys() == native.state[ours[0]].keys()


def test_schedule_free_weights_are_switched():
    (p,) = parameters(torch.float32, [(9,)])
    q = ts.tensor(p.detach().numpy().copy(), requires_grad=True)
    ours, native = ts.create_optimizer("schedulefree_adamw", [p]), ts.create_optimizer("schedulefree_adamw", [q])
    for _ in range(3):
        p.grad, q.grad = torch.ones(9), np.ones(9, np.float32)
        ours.step()
        native.step()
    for mode in ("eval", "train", "eval"):
        version = p._version
        getattr(ours, mode)()
        getattr(native, mode)()
        assert p._version > version
        assert p.detach().numpy().tobytes() == q.data.tobytes()
    with pytest.raises(RuntimeError, match="eval mode"):
        ours.step()
    again = ts.create_optimizer("schedulefree_adamw", [p])
    again.load_state_dict(ours.state_dict())
    assert again.param_groups[0]["train_mode"] is False


@pytest.mark.parametrize("state_dtype", ["float32", "bfloat16", "8bit"])
def test_state_dtype_is_that_of_the_core(state_dtype):
    (p,) = parameters(torch.float32, [(5000,)])
    q = ts.tensor(p.detach().numpy().copy(), requires_grad=True)
    ours, native = bridge.AdamW([p], state_dtype=state_dtype), ts.optimizers.AdamW([q], state_dtype=state_dtype)
    rng = np.random.default_rng(12)
    for t in range(6):
        p.grad = normal(rng)(p)
        q.grad = p.grad.numpy().copy()
        if t == 3:
            saved = ours.state_dict()
            ours = bridge.AdamW([p], state_dtype=state_dtype)
            ours.load_state_dict(saved)
        ours.step()
        native.step()
    assert p.detach().numpy().tobytes() == q.data.tobytes()
    kind = {"float32": torch.float32, "bfloat16": torch.bfloat16, "8bit": torch.uint8}[state_dtype]
    assert ours.state[p]["exp_avg"].dtype == kind


@pytest.mark.parametrize(
    ("name", "hyper"),
    [*REFUSED, ("Adam", {"lr": torch.tensor([0.1, 0.1])})],
)
def test_errors_have_torchs_words(name, hyper):
    texts = []
    for module in (bridge, torch.optim):
        with pytest.raises(ValueError, match=r"Invalid|Nesterov|1-element") as error:
            getattr(module, name)([torch.nn.Parameter(torch.ones(1))], **hyper)
        texts.append(str(error.value))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "params",
    [
        lambda p: [],
        lambda p: p,
        lambda p: [p * 2],
        lambda p: [{"params": [p]}, {"params": [p]}],
        lambda p: [{"params": {p}}],
        lambda p: [1],
        lambda p: [("w", p), torch.nn.Parameter(torch.ones(2))],
        lambda p: [{"params": [("w", p)]}, {"params": [torch.nn.Parameter(torch.ones(2))]}],
    ],
)
def test_parameters_are_refused_in_torchs_words(params):
    texts = []
    for make in (bridge.Adam, torch.optim.Adam):
        with pytest.raises((TypeError, ValueError)) as error:
            make(params(torch.nn.Parameter(torch.ones(3))))
        texts.append((type(error.value), str(error.value)))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.ones(3, dtype=torch.complex64), r"'w' \(shape \(3,\)\) has the dtype torch.complex64"),
        (torch.ones(3, device="meta"), r"'w' .* on the device meta"),
        (torch.eye(3).to_sparse(), r"'w' .* has the layout torch.sparse_coo"),
    ],
)
def test_what_kernels_cannot_step_is_refused_by_name(tensor, words):
    fine = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(TypeError, match=words):
        bridge.Adam([("w", tensor.requires_grad_())])
    optimizer = bridge.Adam([("fine", fine)])
    with pytest.raises(TypeError, match=words):
        optimizer.add_param_group({"params": [("w", tensor.requires_grad_())]})
    assert len(optimizer.param_groups) == 1
    fine.grad = torch.ones(2)
    optimizer.step()
    assert fine.detach().tolist() == pytest.approx([0.999, 0.999])


def test_more_is_refused():
    p = torch.nn.Parameter(torch.ones(3))
    with pytest.raises(NotImplementedError, match="differentiable"):
        bridge.AdamW([p], differentiable=True)
    with pytest.raises(ValueError, match="master is one of"):
        bridge.AdamW([p], master="float64")
    with pytest.raises(ValueError, match="state_dtype='8bit' is for float32"):
        bridge.AdamW([torch.nn.Parameter(torch.ones(3).double())], state_dtype="8bit")
    with pytest.raises(TypeError, match="momentun"):
        ts.create_optimizer("lion", [p], momentun=1)
    with pytest.raises(ValueError, match="decoupled_weight_decay"):
        bridge.Adam([{"params": [p], "decoupled_weight_decay": True}])


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop"])
def test_signatures_are_torchs_and_more(name):
    ours, theirs = (inspect.signature(getattr(module, name)).parameters for module in (bridge, torch.optim))
    assert list(ours)[: len(theirs)] == list(theirs)
    for key, parameter in theirs.items():
        assert (ours[key].default, ours[key].kind) == (parameter.default, parameter.kind)
    assert all(ours[key].kind is inspect.Parameter.KEYWORD_ONLY for key in list(ours)[len(theirs) :])


def test_the_native_door_names_this_one():
    with pytest.raises(TypeError, match=r"trainstation\.interop\.torch"):
        ts.optimizers.Adam([torch.nn.Parameter(torch.ones(3))])


def test_flags_for_implementations_change_nothing():
    results = []
    for flags in ({}, {"foreach": True, "capturable": True}, {"fused": True}):
        (p,) = parameters(torch.float32, [(40,)])
        p.grad = torch.linspace(-1, 1, 40)
        bridge.Adam([p], **flags).step()
        results.append(p.detach().numpy().tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
def test_eps_may_be_0(name):
    (ps, ours), (qs, theirs) = pair(name, {"eps": 0}, torch.float64)
    for value in (2.0, 0.0):
        give(ps, qs, lambda p, value=value: torch.full_like(p, value))
        ours.step()
        theirs.step()
    same(ps, qs)
    (p,) = parameters(torch.float32, [(2,)])
    p.grad = torch.tensor([0.0, 1.0])
    getattr(bridge, name)([p], eps=0).step()
    assert p.isnan().tolist() == [True, False]
