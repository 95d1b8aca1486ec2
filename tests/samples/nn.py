import numpy as np

from samples.common import values

SAMPLES = {
    "log_softmax": [
        ((values(2, 3),), {"dim": -1}),
        ((values(2, 3, 4),), {"dim": 1}),
        ((values(),), {"dim": -1}),
        ((values(0, 3),), {"dim": 1}),
        ((values(0, 3),), {"dim": 0}),
    ],
    "cross_entropy": [
        ((values(4, 3), np.array([2, 0, 0, 1])), {}),
        ((values(4, 3), np.array([2, 0, 0, 1], np.uint8)), {}),
        ((values(3), np.array(1)), {}),
        ((values(1, 1), np.array([0])), {}),
    ],
}
