"""What is learned with states kept in 16 or 8 bits: moments do not ratchet, and a network learns as well."""

import functools

import numpy as np
import pytest
from steps import with_gradient

import trainstation as ts
from trainstation.kernels import BFLOAT16_STATE, BLOCK, EIGHT_BIT_STATE
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop
from trainstation.optimizers.stepping import codec

NARROW = ["bfloat16", "8bit"]
narrow = pytest.mark.parametrize("state_dtype", NARROW)


def second_moment(optimizer, p, name):
    state = optimizer.state[p]
    if state[name].dtype == np.float32:
        return state[name].astype(np.float64)
    fmt = BFLOAT16_STATE if state[name].dtype == np.uint16 else EIGHT_BIT_STATE
    return codec.decode(name, state, "positive", fmt).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "hyper", "name"),
    [
        (Adam, {}, "exp_avg_sq"),
        (AdamW, {}, "exp_avg_sq"),
        (RMSprop, {"alpha": 0.999}, "square_avg"),
        (RMSprop, {"alpha": 0.99, "momentum": 0.9}, "square_avg"),
    ],
)
def test_second_moments_follow_gradients_that_drop_tenfold(kind, hyper, name):
    """Rounded to nearest they would stay where they were. One hot element a block; a third without any gradient."""
    n, rng = 48 * BLOCK, np.random.default_rng(0)
    hot, silent = np.arange(n) % BLOCK == 7, np.arange(n) % 3 == 1
    params = {state_dtype: with_gradient(np.zeros(n), np.zeros(n)) for state_dtype in (None, *NARROW)}
    optimizers = {key: kind([p], lr=1e-4, **hyper, state_dtype=key) for key, p in params.items()}
    for t in range(4000):
        g = rng.standard_normal(n, np.float32) * np.where(hot, np.float32(1000), np.float32(1))
        if t >= 1000:
            g *= np.float32(0.1)
            g[silent] = 0
        for key, p in params.items():
            p.grad = g
            optimizers[key].step()
    exact = second_moment(optimizers[None], params[None], name)
    for state_dtype in NARROW:
        v = second_moment(optimizers[state_dtype], params[state_dtype], name)
        assert (v > 0).all()
        for part in (~hot & ~silent, hot & ~silent):
            ratio = v[part] / exact[part]
            error = ratio.std() / np.sqrt(part.sum())  # of the few hot ones no mean can be exact
            assert ratio.mean() == pytest.approx(1, abs=max(0.02, 4 * error)), state_dtype
        least = 2.0**-29 * exact.max()  # 31 binades below its block's largest is the least code
        quiet = silent & ~hot  # of the few hot ones the mean is mostly noise
        assert v[quiet].mean() == pytest.approx(exact[quiet].mean(), rel=0.06, abs=least)


@narrow
def test_a_second_moment_that_nothing_feeds_decays_as_it_should(state_dtype):
    n = 1 << 16
    p = with_gradient(np.zeros(n), np.ones(n))
    optimizer = Adam([p], state_dtype=state_dtype)
    optimizer.step()
    p.grad = np.zeros(n, np.float32)
    means = []
    for _ in range(3):
        for _ in range(400):
            optimizer.step()
        means.append(second_moment(optimizer, p, "exp_avg_sq").mean())
    assert means == pytest.approx([0.001 * 0.999 ** (400 * k) for k in (1, 2, 3)], rel=0.02)


@narrow
@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_a_momentum_that_nothing_feeds_dies_away(state_dtype, momentum):
    n = 1 << 14
    rng = np.random.default_rng(0)
    gradient = rng.standard_normal(n).astype(np.float32)
    ends = {}
    for each in (None, state_dtype):
        p = with_gradient(np.zeros(n), gradient)
        optimizer = SGD([p], lr=1.0, momentum=momentum, state_dtype=each)
        for _ in range(100):
            optimizer.step()
        p.grad = np.zeros(n, np.float32)
        for _ in range(round(60 / (1 - momentum))):
            optimizer.step()
        ends[each] = p.data.astype(np.float64), optimizer.state[p]["momentum_buffer"]
    moved = np.abs(ends[None][0]).mean()
    assert np.abs(ends[state_dtype][0] - ends[None][0]).mean() < 0.2 * moved
    assert ends[state_dtype][0].mean() == pytest.approx(ends[None][0].mean(), abs=0.01 * moved)
    before = ends[state_dtype][0].copy()
    optimizer.step()
    assert np.abs(p.data - before).max() < 1e-6 * moved


@functools.cache
def trained(name, state_dtype, seed):
    from trainstation.bench.problems import BUILTIN

    task = BUILTIN["mnist5k_mlp"].start(seed)
    hyper = {"adam": {}, "adamw": {}, "sgd": {"lr": 0.02, "momentum": 0.9}, "rmsprop": {"lr": 1e-3}}[name]
    optimizer = ts.create_optimizer(name, task.parameters(), **hyper, state_dtype=state_dtype)
    losses = []
    for _ in range(2):
        losses = []
        for batch in task.epoch():
            optimizer.zero_grad()
            loss = task.loss(batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses)), task.evaluate()


@narrow
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_an_mlp_learns_as_well_as_with_float32(name, state_dtype):
    """The mean over seeds of last epoch's loss and of accuracy lies within the spread of float32."""
    seeds = range(3)
    exact = np.array([trained(name, None, seed) for seed in seeds])
    narrow = np.array([trained(name, state_dtype, seed) for seed in seeds])
    spread = exact.max(0) - exact.min(0)
    assert (np.abs(narrow.mean(0) - exact.mean(0)) <= spread).all()
    assert narrow[:, 1].min() > 0.85
