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
}
