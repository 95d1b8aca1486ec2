from samples.common import values

SAMPLES = {
    "layer_norm": [
        ((values(2, 3), values(3, seed=1), values(3, seed=2)), {"dims": 1, "eps": 1e-5}),
        ((values(2, 3), None, None), {"dims": 1, "eps": 1e-5}),
        ((values(2, 40), values(40, seed=1), None), {"dims": 1, "eps": 0.1}),
        ((values(2, 3), None, values(3, seed=2)), {"dims": 1, "eps": 1e-5}),
        ((values(5, 2, 3, 4), values(3, 4, seed=1), values(3, 4, seed=2)), {"dims": 2, "eps": 1e-5}),
        ((values(3, 2).T, values(3, seed=1), values(3, seed=2)), {"dims": 1, "eps": 1e-5}),
        ((values(3), values(3, seed=1), values(3, seed=2)), {"dims": 1, "eps": 1e-5}),
        ((values(0, 3), values(3, seed=1), values(3, seed=2)), {"dims": 1, "eps": 1e-5}),
        ((values(40, 3), values(3, seed=1), values(3, seed=2)), {"dims": 1, "eps": 1e-5}),
    ],
    "rms_norm": [
        ((values(2, 3), values(3, seed=1)), {"dims": 1, "eps": 1e-5}),
        ((values(2, 3), None), {"dims": 1, "eps": 1e-5}),
        ((values(5, 2, 20), values(2, 20, seed=1)), {"dims": 2, "eps": 0.1}),
        ((values(0, 3), values(3, seed=1)), {"dims": 1, "eps": 1e-5}),
    ],
}
