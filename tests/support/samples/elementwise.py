import numpy as np

from samples.common import binary, positive, unary, values

MASK = np.array([[True, False, True], [False, False, True]])


def tensors(make=values):
    return [(inputs, options) for inputs, options in binary(make) if all(isinstance(x, np.ndarray) for x in inputs)]


SAMPLES = {
    "add": list(binary()),
    "sub": list(binary()),
    "mul": list(binary()),
    "div": list(binary()),
    "pow": [*binary(positive), *(((values(2, 3), exponent), {}) for exponent in (3, 2.0, 0, -2, 1))],
    "remainder": list(binary()),
    "neg": unary(),
    "maximum": tensors(),
    "minimum": tensors(),
    "clip": [
        ((values(*shape),), options)
        for shape, options in [
            ((2, 3), {"min": -0.3, "max": 0.3}),
            ((2, 3), {"min": 0.9}),
            ((2, 3), {"max": -1}),
            ((2, 3), {"min": 1.0, "max": -1.0}),
            ((), {"min": 0.0}),
            ((0, 2), {"min": 0, "max": 1}),
        ]
    ],
    "where": [
        ((condition, x, y), {})
        for condition, x, y in [
            (MASK, values(2, 3), values(2, 3, seed=1)),
            (MASK, values(3), values(2, 1)),
            (MASK[0], values(2, 1), values()),
            (np.array(True), values(2, 3), values(3)),
            (np.zeros((0, 3), bool), values(1), values(3)),
            (MASK, values(2, 3), 2.5),
            (MASK, -1, values(2, 3)),
            (MASK, values(2, 3), True),
        ]
    ],
    "masked_fill": [
        ((x, mask, value), {})
        for x, mask, value in [
            (values(2, 3), MASK, 2.5),
            (values(2, 3), MASK[0], 1),
            (values(3), MASK, 0.0),
            (values(), np.array(True), 0.0),
            (values(0, 3), MASK[0], 0.0),
            (values(2, 3), MASK, values()),
        ]
    ],
}
