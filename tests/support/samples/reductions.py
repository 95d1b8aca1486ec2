import numpy as np

from samples.common import distinct, reduction, values

ZEROS = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0], [1.0, 2.0, 5.0]])


def apart(*shape):
    """No two elements close, nor their magnitudes."""
    return np.asarray(distinct(*shape) + 0.02)


def full(make=values):
    """Inputs of a reduction that nothing cannot be reduced by."""
    return [sample for sample in reduction(make) if sample[0][0].size]


def several(make=values):
    """And with more than one element in each sum; torch's gradients with an empty dim are wrong."""
    return [sample for sample in full(make) if sample[0][0].ndim and sample[1].get("dim") != ()]


def along(make=values):
    return [((make(*shape),), {"dim": dim}) for shape, dim in [((2, 3), 0), ((2, 3, 4), -2), ((0, 3), 1), ((), 0)]]


SAMPLES = {
    "sum": list(reduction()),
    "mean": full(),
    "prod": [((values(2, 3),), {}), ((values(),), {}), ((values(0, 2),), {"dim": 1})]
    + [((array,), {"dim": dim, "keepdim": dim > 0}) for array in (values(2, 3), ZEROS) for dim in (0, -1, 1)]
    + [((ZEROS,), {})],
    "var": [*several(), ((values(2, 3),), {"dim": 1, "correction": 0}), ((values(2, 3),), {"correction": 2.5})],
    "std": [*several(), ((values(2, 3),), {"dim": 1, "correction": 0})],
    "norm": [
        *reduction(),
        *(
            ((apart(2, 3),), {"p": p, "dim": dim})
            for p in (1, 1.5, 2.0, 3, 0.5, -1, np.inf, -np.inf)
            for dim in (1, None)
        ),
    ],
    "amax": full(apart),
    "amin": full(apart),
    "pick": [
        ((values(2, 3),), {"index": np.array([[2], [0]]), "dim": 1, "keepdim": True}),
        ((values(2, 3, 4),), {"index": np.ones((2, 1, 4), np.int64), "dim": -2}),
        ((values(0, 3),), {"index": np.ones((0, 1), np.int64), "dim": 1}),
    ],
    "cumsum": along(),
    "logsumexp": [sample for sample in full() if sample[1].get("dim", ()) != ()],
}
