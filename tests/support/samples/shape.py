import numpy as np

from samples.common import values


def together(*shapes, **options):
    return tuple(values(*shape, seed=i) for i, shape in enumerate(shapes)), options


SAMPLES = {
    "reshape": [
        ((values(2, 3),), {"shape": (3, -1)}),
        ((values(1),), {"shape": ()}),
        ((values(0, 2),), {"shape": (3, 0)}),
        ((values(3, 2).T,), {"shape": (6,)}),
    ],
    "permute": [
        ((values(2, 3, 4),), {"dims": (2, 0, 1)}),
        ((values(2, 3, 4),), {"dims": (-2, -1, 0)}),
        ((values(2, 3),), {"dims": (-1, 0)}),
        ((values(),), {"dims": ()}),
    ],
    "expand": [
        ((values(3, 1),), {"shape": (2, -1, 4)}),
        ((values(3),), {"shape": (3,)}),
        ((values(),), {"shape": (2, 3)}),
        ((values(1, 2),), {"shape": (0, 2)}),
    ],
    "contiguous": [((values(3, 2).T,), {}), ((values(),), {}), ((values(0, 2),), {})],
    "flip": [((values(2, 3),), {"dims": dims}) for dims in [(0,), (1, 0), (-1,), ()]]
    + [((values(),), {"dims": ()}), ((values(0, 2),), {"dims": (0,)})],
    "repeat": [
        ((values(2, 3),), {"repeats": (2, 1)}),
        ((values(2, 3),), {"repeats": (2, 1, 3)}),
        ((values(),), {"repeats": (2,)}),
        ((values(),), {"repeats": ()}),
        ((values(3),), {"repeats": (2, 0)}),
    ],
    "cat": [
        together((2, 3), (1, 3), (0, 3)),
        together((2, 1), (2, 3), dim=-1),
        together((2, 3)),
        together((0,), (2, 3), dim=1),
        together((0,), (0,)),
        ((values(3), np.array([1, 2])), {}),
    ],
    "stack": [
        together((2, 3), (2, 3), (2, 3), dim=1),
        together((2,), (2,), dim=-1),
        together((), ()),
        together((0, 3), (0, 3)),
        ((values(3), np.array([1, 2, 3])), {}),
    ],
}
