from samples.common import values


def inputs(*shapes):
    return tuple(None if shape is None else values(*shape, seed=i) for i, shape in enumerate(shapes)), {}


BIASED = [
    inputs((2, 3), (4, 3), (4,)),
    inputs((20, 3), (40, 3), (40,)),
    inputs((3,), (4, 3), (4,)),
    inputs((5, 2, 3), (4, 3), (4,)),
    inputs((0, 3), (4, 3), (4,)),
    inputs((2, 2, 3), (0, 3), (0,)),
    inputs((2, 0), (4, 0), (4,)),
]
SAMPLES = {"linear": [*BIASED, inputs((2, 3), (4, 3), None)], "linear_relu": BIASED}
