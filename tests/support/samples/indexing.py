import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from samples.common import values

MASK = np.array([[True, False, True], [False, False, True]])
GRID = np.array([[1, 0, 1], [2, 2, 0]])

SAMPLES = {
    "getitem": [
        ((values(2, 3),), {"index": index})
        for index in (
            1,
            -1,
            slice(None, None, -2),
            (slice(None), 1),
            (..., None, 0),
            np.array([0, 1, 0, 0]),
            [1, 1],
            [],
            (np.array([0, 1, 0]), np.array([2, 2, 2])),
            (slice(None), np.array([[0, 0], [2, 0]])),
            (np.array([[0], [0]]), slice(0, 2)),
            np.array(1),
            np.array([], np.intp),
            MASK,
            (MASK[:, 0], 1),
            (MASK[:, 0], np.array([1, 1])),
            True,
            (None, np.array([-1, 0, -1])),
        )
    ]
    + [((values(2, 3, 4),), {"index": index}) for index in ((0, slice(None), np.array([3, 3, 0])), (1, 0, GRID))]
    + [((values(5),), {"index": index}) for index in (GRID, np.array([-1, 4, 4]))]
    + [((values(200, 2),), {"index": np.array([199, 3, 3])})],
    "setitem": [
        ((values(2, 3), value), {"index": index})
        for index, value in [
            (1, values(3)),
            (slice(None), values(1)),
            ((..., 0), values(1, 1, 2)),
            ((0, slice(None, None, 2)), values()),
            (np.array([1, 0]), values(3)),
            ((np.array([1, 0]), np.array([2, 2])), values(2)),
            (MASK, values(3)),
            ((slice(None), MASK[0]), values(2, 1)),
            (slice(0), values(0, 3)),
            (MASK, 2.5),
            (0, 2.5),
        ]
    ]
    + [((values(), values(seed=1)), {"index": ...})],
    "embedding": [
        ((values(3, 2), GRID), {}),
        ((values(3, 2), np.array(1, np.int32)), {}),
        ((values(3, 1), GRID), {}),
        ((values(3, 0), GRID), {}),
        ((values(3, 2), np.zeros((0, 2), np.int64)), {}),
        ((values(200, 2), GRID), {}),
    ],
    "index_select": [((values(2, 3, 4), np.array([0, 1, 1])), {"dim": dim}) for dim in (0, 1, -1)]
    + [
        ((values(3), np.array(2, np.int32)), {"dim": 0}),
        ((values(2, 3), np.array(1)), {"dim": 1}),
        ((values(), np.array([0])), {"dim": 0}),
        ((values(0, 3), np.array([2, 0])), {"dim": 1}),
        ((values(2, 3), np.array([], np.int64)), {"dim": 0}),
    ],
    "gather": [
        ((values(3, 3), GRID), {"dim": 0}),
        ((values(3, 3), GRID), {"dim": -1}),
        ((values(2, 3), GRID[:1, :2]), {"dim": 1}),
        ((values(2, 3, 4), np.array([[[1, 1, 0, 0, 0]]], np.int32)), {"dim": 2}),
        ((values(3), np.array([0, 0, 2, 2])), {"dim": 0}),
        ((values(), np.array(0)), {"dim": -1}),
        ((values(3, 3), np.zeros((0, 3), np.int64)), {"dim": 0}),
    ],
    "take_along_dim": [
        ((values(2, 3), np.array([[-1, 0, 0, 1]])), {"dim": 1}),
        ((values(1, 3), GRID), {"dim": 1}),
        ((values(3, 3), GRID[:, :1]), {"dim": 0}),
        ((values(2, 3), np.array([5, 0, 5, 1])), {}),
        ((values(2, 3), GRID), {}),
    ],
    "index_add": [
        ((values(2, 3), np.array([1, 1, 0]), values(3, 3)), {"dim": 0}),
        ((values(2, 3), np.array([2, 2]), values(2, 2)), {"dim": -1, "alpha": -0.5}),
        ((values(2, 3, 4), np.array([0], np.int32), values(2, 1, 4)), {"dim": 1}),
        ((values(2, 3), np.array([], np.int64), values(0, 3)), {"dim": 0}),
        ((values(4), np.array(2), values(1)), {"dim": 0}),
        ((values(), np.array([0]), values()), {"dim": 0}),
        ((values(200, 2), np.array([0, 0, 7]), values(3, 2)), {"dim": 0}),
    ],
    "to": [
        *(((values(*shape),), {}) for shape in [(2, 3), (), (0, 2)]),
        ((values(3, 2).T,), {}),
        ((values(0, 2),), {"dtype": np.dtype(np.float32)}),
    ],
}

full_shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4)


@st.composite
def written(draw):
    """An index that names no element twice, and a value for it."""
    shape = draw(full_shapes)
    index = draw(hnp.basic_indices(shape, allow_newaxis=True) | hnp.arrays(bool, shape))
    return (values(*shape), values(*np.zeros(shape)[index].shape, seed=1)), {"index": index}


@st.composite
def rows(draw):
    """A matrix and integers that name rows of it."""
    count = draw(st.integers(1, 5))
    indices = draw(hnp.arrays(np.int64, hnp.array_shapes(min_dims=0, max_dims=2), elements=st.integers(0, count - 1)))
    return (values(count, draw(st.integers(0, 3))), indices), {}


@st.composite
def slices(draw, *, added=False):
    """An array, a dim, and a vector of integers that names slices along it; and what is to be added to them."""
    shape = draw(full_shapes)
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    index = draw(hnp.arrays(np.int64, st.integers(0, 4), elements=st.integers(0, shape[dim] - 1)))
    if not added:
        return (values(*shape), index), {"dim": dim}
    source = list(shape)
    source[dim] = index.size
    return (values(*shape), index, values(*source, seed=1)), {"dim": dim, "alpha": draw(st.sampled_from([1, -0.5]))}


@st.composite
def along(draw, *, shorter):
    """An array, a dim, and indices along it: as long in the other dims, or as short as is allowed."""
    shape = draw(full_shapes)
    dim = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = [draw(st.integers(1, n)) if shorter else draw(st.sampled_from([1, n])) for n in shape]
    lengths[dim] = draw(st.integers(0, 4))
    return (values(*shape), draw(hnp.arrays(np.int64, lengths, elements=st.integers(0, shape[dim] - 1)))), {"dim": dim}


DRAWN = {
    "setitem": written(),
    "embedding": rows(),
    "index_select": slices(),
    "index_add": slices(added=True),
    "gather": along(shorter=True),
    "take_along_dim": along(shorter=False),
    "to": hnp.array_shapes(min_dims=0, max_dims=3, min_side=0).map(lambda shape: ((values(*shape),), {})),
}
