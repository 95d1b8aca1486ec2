from samples.common import distinct, values

PLAIN = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
MAX = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False}
AVG = {"stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True}


def conv(x, weight, *, bias=True, **options):
    return (values(*x), values(*weight, seed=1), values(weight[0], seed=2) if bias else None), PLAIN | options


SAMPLES = {
    "conv": [
        conv((2, 3, 5, 4), (4, 3, 3, 2)),
        conv((2, 3, 5, 4), (4, 3, 3, 2), bias=False),
        conv((2, 3, 5, 4), (4, 3, 3, 2), padding=(1, 2)),
        conv((2, 3, 5, 4), (4, 3, 3, 2), stride=(2, 1), padding=1),
        conv((2, 3, 5, 6), (4, 3, 3, 2), dilation=(1, 3), stride=(1, 2), padding=1),
        conv((2, 4, 5, 4), (6, 2, 3, 3), groups=2),
        conv((2, 4, 5, 4), (4, 1, 3, 3), groups=4, padding=1),
        conv((2, 3, 5, 4), (4, 3, 1, 1)),
        conv((2, 3, 1, 1), (4, 3, 5, 5), padding=2),
        conv((2, 3, 5, 4), (4, 3, 3, 4), padding="same", dilation=2),
        conv((2, 3, 5, 4), (4, 3, 5, 4), padding="valid"),
        conv((2, 3, 7), (4, 3, 3), stride=2, padding=(1,)),
        conv((2, 4, 7), (4, 2, 3), dilation=2, groups=2),
        conv((3, 3, 9, 10), (4, 3, 2, 3), padding=1),  # from 64 windows on, sample by sample
        conv((3, 4, 70), (6, 2, 3), padding=1, groups=2, stride=1, bias=False),
        conv((3, 5, 4), (4, 3, 3, 2)),
        conv((3, 7), (4, 3, 3)),
        conv((0, 3, 5, 4), (4, 3, 3, 2)),
    ],
    "max_pool": [
        ((distinct(*x),), MAX | options)
        for x, options in [
            ((2, 3, 4, 6), {"kernel_size": 2}),
            ((2, 3, 5, 6), {"kernel_size": (3, 2), "stride": 1}),
            ((2, 3, 5, 6), {"kernel_size": 3, "stride": (2, 3), "padding": 1}),
            ((2, 3, 5, 6), {"kernel_size": 2, "ceil_mode": True}),
            ((2, 3, 5, 6), {"kernel_size": (2, 3), "stride": 1, "padding": 1, "dilation": (3, 2)}),
            ((2, 3, 3, 3), {"kernel_size": 2, "stride": 4, "ceil_mode": True}),
            ((3, 4, 6), {"kernel_size": 2}),
            ((0, 3, 4, 6), {"kernel_size": 2}),
        ]
    ],
    "avg_pool": [
        ((values(*x),), AVG | options)
        for x, options in [
            ((2, 3, 4, 6), {"kernel_size": 2}),
            ((2, 3, 5, 6), {"kernel_size": (3, 2), "stride": 1}),
            ((2, 3, 5, 6), {"kernel_size": 3, "stride": (2, 3), "padding": 1}),
            ((2, 3, 5, 6), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
            (
                (2, 3, 5, 6),
                {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
            ),
            ((3, 4, 6), {"kernel_size": 2}),
            ((0, 3, 4, 6), {"kernel_size": 2}),
        ]
    ],
}
