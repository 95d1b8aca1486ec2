from samples.common import values

SAMPLES = {
    "matmul": [
        ((values(*first), values(*second, seed=1)), {})
        for first, second in [
            ((2, 3), (3, 4)),
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 4)),
            ((5, 2, 3), (3, 4)),
            ((5, 2, 3), (3,)),
            ((3,), (5, 3, 4)),
            ((5, 1, 2, 3), (4, 3, 2)),
            ((2, 0), (0, 3)),
            ((0, 3), (3, 2)),
        ]
    ],
    "linear": [
        ((values(*x), values(*weight, seed=1), None if bias is None else values(*bias, seed=2)), {})
        for x, weight, bias in [
            ((2, 3), (4, 3), (4,)),
            ((2, 3), (4, 3), None),
            ((3,), (4, 3), (4,)),
            ((5, 2, 3), (4, 3), (4,)),
            ((0, 3), (4, 3), (4,)),
            ((2, 2, 3), (0, 3), (0,)),
            ((2, 0), (4, 0), (4,)),
        ]
    ],
}
