"""Parameters in bfloat16 and float16: stepped in float32, and rounded."""

import copy
import io

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.interop import torch as bridge
from trainstation.interop.torch.views import round_stochastically

torch.set_num_threads(1)
HALVES = [torch.bfloat16, torch.float16]
MASTERS = [None, "float32", "stochastic"]


def halves(dtype, shapes=((5, 7), (), (0,), (300,))):
    torch.manual_seed(2)
    return [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in shapes]


def gradients(ps, t):
    generator = torch.Generator().manual_seed(t)
    return [torch.randn(p.shape, generator=generator).to(p.dtype) for p in ps]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "lion", "muon", "lookahead", "prodigy"])
@pytest.mark.parametrize("master", [None, "float32"])
def test_a_step_is_that_of_float32_rounded(dtype, name, master):
    ps = halves(dtype)
    ours = ts.create_optimizer(name, ps, master=master)
    arrays = [ts.tensor(p.detach().float().numpy().copy(), requires_grad=True) for p in ps]
    native = ts.create_optimizer(name, arrays)
    for t in range(6):
        for p, q, g in zip(ps, arrays, gradients(ps, t), strict=True):
            p.grad, q.grad = g, g.float().numpy()
        ours.step()
        native.step()
        for p, q in zip(ps, arrays, strict=True):
            assert torch.equal(p, torch.from_numpy(q.data).to(dtype))
            if master is None:
                q.data[...] = torch.from_numpy(q.data).to(dtype).float().numpy()
            else:
                assert ours.state[p]["master"].numpy().tobytes() == q.data.tobytes()
    assert all(
        value.dtype == torch.float32
        for state in ours.state.values()
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and value.ndim
    )


@pytest.mark.parametrize("dtype", HALVES)
def test_small_steps_are_lost_without_a_master(dtype):
    moved = {}
    for master in MASTERS:
        p = torch.nn.Parameter(torch.ones(20_000, dtype=dtype))
        optimizer = bridge.SGD([p], lr=2.0**-14, master=master)
        for _ in range(64):
            p.grad = torch.ones_like(p)
            optimizer.step()
        moved[master] = 1 - p.detach().double()
    assert not moved[None].any()
    gap = 2.0**-8 if dtype == torch.bfloat16 else 2.0**-11  # below 1
    assert moved["float32"].unique().tolist() == [2.0**-8]
    # 64 roundings of variance at most gap^2 / 4 each, over 20,000 elements: six standard deviations.
    assert abs(moved["stochastic"].mean().item() - 2.0**-8) < 6 * gap / 2 * 8 / 20_000**0.5
    assert moved["stochastic"].std() > 0


@pytest.mark.parametrize("to_bfloat16", [True, False])
def test_stochastic_rounding_goes_to_a_neighbour_and_keeps_the_mean(to_bfloat16):
    dtype = torch.bfloat16 if to_bfloat16 else torch.float16
    rng = np.random.default_rng(0)
    values = np.concatenate(
        [
            rng.standard_normal(500).astype(np.float32) * 10.0 ** rng.integers(-7, 5, 500).astype(np.float32),
            np.float32([0, 1, -1, 65504, 2.0**-24, -(2.0**-25), 3e-8, 1e-4]),
        ]
    )

    def rounded(t):
        return torch.from_numpy(round_stochastically(values, t, to_bfloat16)).view(dtype).double()

    samples = torch.stack([rounded(t) for t in range(1, 2001)])
    exact = torch.from_numpy(values).double()
    held = exact == torch.from_numpy(values).to(dtype).double()
    assert (samples[:, held] == exact[held]).all()
    finite = exact.abs() <= (3e38 if to_bfloat16 else 65504)
    bits, least = (7, -133) if to_bfloat16 else (10, -24)
    gap = 2.0 ** (exact.abs().clamp(min=1e-40).log2().floor() - bits).clamp(min=least)
    assert ((samples - exact).abs() < gap)[:, finite].all()
    assert ((samples.mean(0) - exact).abs() <= 6 * gap / 2 / 2000**0.5)[finite].all()
    assert torch.equal(rounded(5), rounded(5))
    assert not torch.equal(rounded(5), rounded(6))


def test_stochastic_rounding_of_what_is_not_finite():
    values = np.float32([np.inf, -np.inf, np.nan, 65536, -1e30, -0.0])
    for to_bfloat16, dtype in ((True, torch.bfloat16), (False, torch.float16)):
        got = torch.from_numpy(round_stochastically(values, 1, to_bfloat16)).view(dtype).float()
        assert got[:2].tolist() == [torch.inf, -torch.inf]
        assert got[2].isnan()
        assert got[5].item() == 0
        assert got[5].signbit()
        if not to_bfloat16:
            assert got[3:5].tolist() == [torch.inf, -torch.inf]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("master", MASTERS)
def test_a_resumed_run_has_the_same_bits(dtype, master):
    def run(optimizer, ps, begin, end):
        for t in range(begin, end):
            for p, g in zip(ps, gradients(ps, t), strict=True):
                p.grad = g
            optimizer.step()

    ps = halves(dtype)
    optimizer = bridge.AdamW(ps, lr=0.01, master=master)
    run(optimizer, ps, 0, 4)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    qs = copy.deepcopy(ps)
    resumed = bridge.AdamW(qs, lr=0.5, master=master)
    resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    rs, copied = copy.deepcopy((ps, optimizer))
    for many, each in ((ps, optimizer), (qs, resumed), (rs, copied)):
        run(each, many, 4, 8)
    for p, q, r in zip(ps, qs, rs, strict=True):
        assert torch.equal(p, q)
        assert torch.equal(p, r)
        assert optimizer.state[p].keys() == resumed.state[q].keys()
        for key, value in optimizer.state[p].items():
            assert torch.equal(value, resumed.state[q][key])


def test_the_master_follows_what_is_written_to_the_parameter():
    p = torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16))
    optimizer = bridge.SGD([p], lr=2.0**-12, master="float32")
    for _ in range(2):
        p.grad = torch.ones_like(p)
        optimizer.step()
    with torch.no_grad():
        p[1] = 5.0
    p.grad = torch.ones_like(p)
    optimizer.step()
    small = 2.0**-12
    assert optimizer.state[p]["master"].tolist() == [1 - 3 * small, 5 - small, 1 - 3 * small, 1 - 3 * small]
    assert p.tolist() == [1.0, 5.0, 1.0, 1.0]


def test_torchs_state_of_bfloat16_is_taken_in_float32():
    p = torch.nn.Parameter(torch.ones(6, dtype=torch.bfloat16))
    theirs = torch.optim.Adam([p])
    p.grad = torch.full_like(p, 0.3)
    theirs.step()
    ours = bridge.Adam([p], master="float32")
    ours.load_state_dict(theirs.state_dict())
    assert ours.state[p]["exp_avg"].dtype == torch.float32
    assert torch.equal(ours.state[p]["exp_avg"], theirs.state[p]["exp_avg"].float())
    assert torch.equal(ours.state[p]["master"], p.detach().float())
    again = torch.optim.Adam([p])
    again.load_state_dict(ours.state_dict())
    again.step()


def test_a_channels_last_half_tensor_and_its_version():
    torch.manual_seed(1)
    values = torch.randn(4, 3, 5, 2).bfloat16()
    p = torch.nn.Parameter(values.clone().to(memory_format=torch.channels_last))
    q = torch.nn.Parameter(values.clone())
    ours, other = (bridge.Adam([each], lr=0.1, master="float32") for each in (p, q))
    for _ in range(3):
        p.grad = torch.randn(4, 3, 5, 2).bfloat16()
        q.grad = p.grad.clone()
        version = p._version
        ours.step()
        other.step()
        assert p._version > version
    assert torch.equal(p, q)
    assert torch.equal(ours.state[p]["master"], other.state[q]["master"])
