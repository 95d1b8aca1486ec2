from samples.common import reduction

SAMPLES = {
    "sum": list(reduction()),
    "mean": [sample for sample in reduction() if sample[0][0].size],
}
