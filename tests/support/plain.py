"""Plain arrays for the functional optimizers, and what to compare of them."""

import numpy as np

SHAPES = [(3, 4), (), (0,), (17,), (5000,)]


class Lent:
    """What another library's array is to us."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def arrays(dtype=np.float32, shapes=SHAPES, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def strided(array):
    """The same numbers, apart in memory and backwards."""
    wide = np.zeros((*array.shape, 3), array.dtype)[..., ::-2]
    wide[..., 0] = array
    return wide[..., 0]


def bits(p, state):
    """All that a step changes, by name."""
    moments = {name: np.asarray(value).tobytes() for name, value in state.items()}
    return np.asarray(p).tobytes(), moments
