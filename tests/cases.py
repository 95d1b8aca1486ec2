"""Cases for the compiled rules, and what NumPy makes of them."""

import itertools

import numpy as np

from trainstation.optimizers import Adam, AdamW

DTYPES = [np.float32, np.float64]
# rule -> (optimizer, its states)
RULES = {
    "adam": (Adam, ("exp_avg", "exp_avg_sq")),
    "adam_amsgrad": (Adam, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")),
    "adamw": (AdamW, ("exp_avg", "exp_avg_sq")),
    "adamw_amsgrad": (AdamW, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")),
}


def scalars_of(rule, t=3, *, lr=0.01, weight_decay=0.1):
    optimizer = RULES[rule][0](lr=lr, weight_decay=weight_decay)
    return optimizer, optimizer.scalars(optimizer.defaults, t)


def numpy_step(rule, arrays, scalars, gscale=1.0):
    """Copies of p and the states after one `update`."""
    optimizer, names = RULES[rule][0](), RULES[rule][1]
    p, g, *states = (array.copy() for array in arrays)
    element = p.dtype.type
    state = dict(zip(names, states, strict=True))
    with np.errstate(all="ignore"):
        optimizer.update(p, g * element(gscale), state, tuple(element(x) for x in scalars))
    return [p, *state.values()]


def same_bits(a, b):
    """Equal bytes; of a NaN only the position counts."""
    nan = np.isnan(a)
    return np.array_equal(nan, np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes()


def drawn(rule, dtype, n, seed=0):
    rng = np.random.default_rng(seed)
    p, g, m = (rng.standard_normal(n).astype(dtype) for _ in range(3))
    return [p, g, m, *(rng.random(n).astype(dtype) for _ in RULES[rule][1][1:])]


def special(rule, dtype):
    """Every combination of special values of p, g and the states."""
    info = np.finfo(dtype)
    values = [0.0, -0.0, 1.0, -3.0, 1e20, 1e-20, info.max, -info.max, info.tiny, info.smallest_subnormal]
    values += [-5 * info.smallest_subnormal, np.inf, -np.inf, np.nan]
    if len(RULES[rule][1]) == 3:  # five arrays: fewer values, but all of them for the two that max() compares
        few = [0.0, -2.0, info.max, np.inf, np.nan]
        axes = [few, few, few, values, values]
    else:
        axes = [values] * 4
    return [np.array(column, dtype) for column in zip(*itertools.product(*axes), strict=True)]
