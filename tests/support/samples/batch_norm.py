from samples.common import positive, values

SHAPES = [(4, 3), (5, 2, 3), (2, 3, 2, 2)]


def inputs(shape, *, weight=True, bias=True):
    channels = shape[1]
    return (
        values(*shape),
        values(channels, seed=1) if weight else None,
        values(channels, seed=2) if bias else None,
    )


SAMPLES = {
    "batch_norm": [
        *((inputs(shape), {"eps": 1e-5}) for shape in SHAPES),
        *(
            (inputs(shape), {"eps": 1e-3, "statistics": (values(shape[1], seed=3), positive(shape[1], seed=4))})
            for shape in SHAPES
        ),
        *((inputs((4, 3), weight=weight, bias=bias), {"eps": 1e-5}) for weight, bias in [(True, False), (False, True)]),
        (inputs((4, 3), weight=False, bias=False), {"eps": 0.1}),
        (inputs((0, 3)), {"eps": 1e-5, "statistics": (values(3), positive(3))}),
    ],
}
