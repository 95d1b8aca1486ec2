from samples.common import values

SAMPLES = {
    "reshape": [
        ((values(2, 3),), {"shape": (3, -1)}),
        ((values(1),), {"shape": ()}),
        ((values(0, 2),), {"shape": (3, 0)}),
        ((values(3, 2).T,), {"shape": (6,)}),
    ],
    "permute": [
        ((values(2, 3, 4),), {"dims": (2, 0, 1)}),
        ((values(2, 3),), {"dims": (-1, 0)}),
        ((values(),), {"dims": ()}),
    ],
}
