import numpy as np

from samples.common import values

MASK = np.array([[True, False, True], [False, True, True]])


def inputs(*shapes, mask=None):
    return (*(values(*shape, seed=i) for i, shape in enumerate(shapes)), mask)


SAMPLES = {
    "attention": [
        (inputs((2, 4), (3, 4), (3, 5)), {}),
        (inputs((2, 4), (3, 4), (3, 5), mask=MASK), {}),
        (inputs((2, 4), (3, 4), (3, 5), mask=values(2, 3, seed=9)), {}),
        (inputs((5, 1, 2, 4), (3, 3, 4), (3, 3, 5), mask=values(3, 1, 3, seed=9)), {}),
        (inputs((5, 3, 2, 4), (5, 3, 3, 4), (5, 3, 3, 5), mask=MASK), {"scale": 0.3}),
        (inputs((5, 20, 4), (5, 20, 4), (5, 20, 4)), {"is_causal": True}),
        (inputs((2, 4), (3, 4), (3, 5)), {"is_causal": True}),
        (inputs((3, 4), (2, 4), (2, 5)), {"is_causal": True, "scale": 2.0}),
        (inputs((0, 2, 4), (0, 3, 4), (0, 3, 5)), {}),
    ],
    "self_attention": [
        ((values(2, 5, 12),), {"num_heads": 2, "is_causal": True}),
        ((values(2, 5, 12),), {"num_heads": 1}),
        ((values(1, 1, 6),), {"num_heads": 2}),
        ((values(2, 20, 12),), {"num_heads": 4, "is_causal": True}),
        ((values(0, 5, 12),), {"num_heads": 2}),
        ((values(5, 2, 12).transpose(1, 0, 2),), {"num_heads": 2}),
    ],
}
