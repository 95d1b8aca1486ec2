"""What samples are made of."""

import numpy as np


def values(*shape, seed=0):
    """Away from zero, where relu has its kink: 0.5 to 1.5 of either sign."""
    rng = np.random.default_rng((seed, *shape))
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def positive(*shape, seed=0):
    """0.5 to 1.5."""
    return np.asarray(np.abs(values(*shape, seed=seed)))


def distinct(*shape, seed=0):
    """No two elements, and no two sizes of elements, closer than 0.1: for extremes."""
    rng = np.random.default_rng((seed, *shape))
    size = int(np.prod(shape))
    return np.asarray((0.1 * rng.permutation(size) + 0.05).reshape(shape) * rng.choice([-1.0, 1.0], shape))


def binary(make=values):
    """Inputs of an operation of two operands: same shapes, stretched, 0-d, empty, and numbers on either side."""
    for first, second in [((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)), ((0, 3), (1,)), ((), ())]:
        yield (make(*first), make(*second, seed=1)), {}
    for number in (2.5, 2, -1, True):
        yield (make(2, 3), number), {}
    yield (2.5, make(2, 3)), {}


def unary(make=values, **options):
    """Inputs of a function of one element."""
    return [((make(*shape),), options) for shape in [(2, 3), (), (0, 2)]]


def reduction(make=values):
    """Inputs and dims of a reduction over one, several or all dimensions."""
    for shape in [(2, 3), (2, 0), ()]:
        yield (make(*shape),), {}
    for dim in (0, -1, (0, -1), (1,), (), [0, 2]):
        for keepdim in (False, True):
            yield (make(2, 3, 4),), {"dim": dim, "keepdim": keepdim}
    yield (make(),), {"dim": -1}
    yield (make(),), {"dim": 0, "keepdim": True}
