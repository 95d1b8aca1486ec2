import numpy as np

from samples.common import values

MASK = np.array([[True, False, True], [False, False, True]])

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
            (np.array([0, 1, 0]), np.array([2, 2, 2])),
            (slice(None), np.array([[0, 0], [2, 0]])),
            (np.array([[0], [0]]), slice(0, 2)),
            np.array(1),
            np.array([], np.intp),
            MASK,
            (MASK[:, 0], 1),
            (MASK[:, 0], np.array([1, 1])),
        )
    ],
}
