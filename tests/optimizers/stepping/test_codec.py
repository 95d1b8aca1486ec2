"""The codes of states kept in 16 or 8 bits: rounding without bias, and what may never become zero."""

import numpy as np
import pytest

from trainstation.kernels import BFLOAT16_STATE, BLOCK, EIGHT_BIT_STATE
from trainstation.optimizers.stepping import codec

FORMAT = {"bfloat16": BFLOAT16_STATE, "8bit": EIGHT_BIT_STATE}
LEAST = 4096  # elements from which 8 bit begins
narrow = pytest.mark.parametrize("state_dtype", FORMAT)
kinds_of_state = pytest.mark.parametrize("kind", ["signed", "positive"])


def drawn(n, kind, seed=0, span=4):
    """Values over so many binades in each block."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(1, 2, n) * 2.0 ** rng.integers(-span, 1, n) * rng.choice([-1.0, 1.0], n)
    return (values if kind == "signed" else np.abs(values)).astype(np.float32)


def through(values, kind, fmt, t, place=0):
    return codec.decode("s", codec.encode("s", values, kind, fmt, t, place), kind, fmt)


def neighbours(values, fmt):
    """The codes on both sides of normal values that are well above the least code, toward zero and away from it."""
    dropped = np.uint32((1 << {BFLOAT16_STATE: 16, EIGHT_BIT_STATE: 20}[fmt]) - 1)
    inner = values.view(np.uint32) & ~dropped
    return inner.view(np.float32).astype(np.float64), (inner + dropped + 1).view(np.float32).astype(np.float64)


@kinds_of_state
@narrow
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_rounding_is_to_a_neighbour_and_has_no_bias_over_the_steps(state_dtype, kind, place):
    """Each element's mean over t lies within 6 standard errors of it."""
    fmt, steps = FORMAT[state_dtype], 3000
    values = drawn(2 * BLOCK, kind)
    seen = np.array([through(values, kind, fmt, t, place) for t in range(1, steps + 1)], np.float64)
    inner, outer = neighbours(values, fmt)
    assert ((seen == inner) | (seen == outer)).all()
    share = (values - inner) / (outer - inner)
    error = np.maximum(np.sqrt(share * (1 - share) / steps), 1 / steps)
    assert (np.abs((seen == outer).mean(0) - share) <= 6 * error).all()


@kinds_of_state
@narrow
def test_rounding_has_no_bias_over_the_elements(state_dtype, kind):
    fmt, n = FORMAT[state_dtype], 1 << 16
    for value in np.float32([1.03, 1.3, 1.77, 1.999]):
        values = np.full(n, value)
        inner, outer = (each[0] for each in neighbours(values, fmt))
        for t in (1, 2, 1000):
            seen = through(values, kind, fmt, t).astype(np.float64)
            error = np.sqrt((value - inner) * (outer - value) / n)
            assert abs(seen.mean() - value) <= 6 * error


@narrow
def test_small_signed_values_become_the_least_code_or_zero_and_keep_their_mean(state_dtype):
    fmt, steps = FORMAT[state_dtype], 4000
    values = np.append(drawn(2 * BLOCK - 2, "signed", span=1) * 2.0**-17, [1.0, 1.0]).astype(np.float32)
    values = np.concatenate([values[-1:], values[:-1]])  # one large value in each block
    seen = np.array([through(values, "signed", fmt, t) for t in range(1, steps + 1)], np.float64)
    least = np.abs(seen[seen != 0]).min()
    error = np.sqrt(np.maximum(np.abs(values), 1e-30) * (least if state_dtype == "8bit" else 2.0**-24) / steps)
    assert (np.abs(seen.mean(0) - values) <= 6 * error).all()


@narrow
def test_zero_is_kept_and_a_positive_value_never_becomes_zero(state_dtype):
    fmt = FORMAT[state_dtype]
    tiny = [np.finfo(np.float32).smallest_subnormal, 1e-40, np.finfo(np.float32).tiny, 1e-30, 1e-10, 1.0]
    for largest in (1e-45, 1e-38, 1.0, 1e30, np.finfo(np.float32).max):
        values = np.zeros(BLOCK, np.float32)
        values[1:7], values[9] = np.minimum(tiny, largest), largest
        for t in range(1, 200):
            for place in range(4):
                seen = through(values, "positive", fmt, t, place)
                assert ((seen > 0) == (values > 0)).all()
    assert not through(np.zeros(1000, np.float32), "signed", fmt, 1).any()


@kinds_of_state
@narrow
def test_what_is_not_finite_is_not_hidden(state_dtype, kind):
    values = np.ones(4 * BLOCK, np.float32)
    values[BLOCK], values[2 * BLOCK + 5] = np.nan, np.inf
    for t in range(1, 50):
        seen = through(values, kind, FORMAT[state_dtype], t)
        assert np.isnan(seen[BLOCK])
        assert not np.isfinite(seen[2 * BLOCK + 5])
        assert np.isfinite(seen[:BLOCK]).all()
        assert np.isfinite(seen[3 * BLOCK :]).all()


@kinds_of_state
@narrow
def test_the_numbers_depend_on_the_step_and_the_place(state_dtype, kind):
    values, fmt = drawn(LEAST, kind), FORMAT[state_dtype]
    results = [through(values, kind, fmt, t, place).tobytes() for t in (1, 2, 2**31, 2**40) for place in (0, 1)]
    assert len(set(results)) == 8


def test_neighbours_and_steps_get_unlike_numbers():
    """No step rounds as the one before; each element goes up as often as it should, and so do all of a step."""
    n, steps = 4 * BLOCK, 400
    values = (1.5 + (np.arange(n) % 97 + 0.5) / 97 * 2.0**-7).astype(np.float32)
    up = np.array([through(values, "positive", BFLOAT16_STATE, t) > 1.5 for t in range(1, steps + 1)])
    assert (up[1:] != up[:-1]).any(1).all()
    share = (np.arange(n) % 97 + 0.5) / 97
    error = np.sqrt(share * (1 - share))
    assert (np.abs(up.mean(0) - share) < 6 * error / np.sqrt(steps)).all()
    assert (np.abs(up.mean(1) - share.mean()) < 6 * np.sqrt((error**2).mean() / n)).all()
