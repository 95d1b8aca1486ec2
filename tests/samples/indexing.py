import numpy as np

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
