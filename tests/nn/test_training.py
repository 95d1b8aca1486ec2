"""What a long training may not do: keep memory, or keep graphs alive."""

import gc
import tracemalloc

import numpy as np

import trainstation as ts
from trainstation import nn


def test_ten_thousand_steps_keep_no_memory():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.LayerNorm(16), nn.Linear(16, 3))
    optimizer = ts.optimizers.Adam(model.parameters())
    inputs, targets = ts.Tensor.randn((4, 8), seed=0), np.array([0, 1, 2, 0])

    def train(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), targets)
            loss.backward()
            optimizer.step()

    train(100)
    gc.collect()
    gc.disable()  # what only the collector would free is kept alive by a cycle
    tracemalloc.start()
    try:
        train(100)
        before, _ = tracemalloc.get_traced_memory()
        train(9_800)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert after - before < 2_000  # bytes; one number kept of each step would be 78,400
