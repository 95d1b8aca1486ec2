import numpy as np

from samples.common import values

SOFTMAX = [
    ((values(2, 3),), {"dim": -1}),
    ((values(2, 3),), {"dim": 0}),
    ((values(2, 3, 4),), {"dim": 1}),
    ((values(2, 40),), {"dim": 1}),
    ((values(4, 3).T,), {"dim": 1}),
    ((values(),), {"dim": -1}),
    ((values(0, 3),), {"dim": 1}),
    ((values(0, 3),), {"dim": 0}),
]
TARGETS = np.array([2, 0, 0, 1])
SAMPLES = {
    "softmax": SOFTMAX,
    "log_softmax": SOFTMAX,
    "cross_entropy": [
        ((values(4, 3), TARGETS), {}),
        ((values(4, 3), TARGETS.astype(np.uint8)), {}),
        ((values(4, 40), TARGETS), {}),
        ((values(3), np.array(1)), {}),
        ((values(1, 1), np.array([0])), {}),
        ((values(3, 4).T, TARGETS), {"reduction": "sum"}),
        ((values(4, 3), TARGETS), {"reduction": "none"}),
        ((values(4, 3), TARGETS), {"label_smoothing": 0.2}),
        ((values(4, 3), TARGETS), {"label_smoothing": 0.2, "ignore_index": 0}),
        ((values(4, 3), np.array([2, -100, -100, 1])), {"reduction": "none", "label_smoothing": 0.2}),
        ((values(3), np.array(1)), {"reduction": "none"}),
        ((values(0, 3), np.zeros(0, np.int64)), {"reduction": "sum"}),
    ],
}
