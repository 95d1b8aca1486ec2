"""Initial values: torch's distributions, not its stream."""

import numpy as np
import pytest
import torch

import trainstation as ts


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"])
def test_gains(name):
    ours, theirs = ts.nn.init.calculate_gain(name), torch.nn.init.calculate_gain(name)
    assert ours == pytest.approx(theirs, rel=1e-15)
    assert ts.nn.init.calculate_gain("leaky_relu", 0.5) == torch.nn.init.calculate_gain("leaky_relu", 0.5)


INITS = {
    "uniform_": {"a": -1.0, "b": 3.0},
    "normal_": {"mean": 1.0, "std": 2.0},
    "trunc_normal_": {"mean": 0.5, "std": 2.0, "a": 0.0, "b": 1.5},
    "xavier_uniform_": {"gain": 2.0},
    "xavier_normal_": {},
    "kaiming_uniform_": {"mode": "fan_out", "nonlinearity": "relu"},
    "kaiming_normal_": {"a": 0.5},
    "constant_": {"val": 3.0},
    "ones_": {},
    "zeros_": {},
}


def quantiles(x):
    return np.quantile(np.asarray(x, np.float64), [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])


@pytest.mark.parametrize("name", INITS)
def test_initial_values_are_drawn_from_torchs_distribution(name):
    ts.manual_seed(0)
    torch.manual_seed(0)
    ours = getattr(ts.nn.init, name)(ts.Tensor.zeros((60, 30, 3, 4)), **INITS[name]).numpy()
    theirs = getattr(torch.nn.init, name)(torch.zeros(60, 30, 3, 4), **INITS[name]).numpy()
    scale = max(theirs.std(), 1e-9)
    np.testing.assert_allclose(quantiles(ours) / scale, quantiles(theirs) / scale, atol=0.05)
    assert abs(ours.min() - theirs.min()) <= 0.9 * scale
    assert abs(ours.max() - theirs.max()) <= 0.9 * scale


LAYERS = {
    "Linear": lambda nn: nn.Linear(300, 200),
    "Conv1d": lambda nn: nn.Conv1d(30, 200, 5, groups=2),
    "Conv2d": lambda nn: nn.Conv2d(30, 200, (3, 5)),
    "Embedding": lambda nn: nn.Embedding(300, 100, padding_idx=1),
    "MultiheadAttention": lambda nn: nn.MultiheadAttention(200, 2),
    "LayerNorm": lambda nn: nn.LayerNorm(5),
    "BatchNorm2d": lambda nn: nn.BatchNorm2d(5),
}


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_layers_start_in_torchs_distribution(make):
    ts.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = make(ts.nn), make(torch.nn)
    for (name, mine), (_, twin) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        x, y = mine.numpy(), twin.detach().numpy()
        assert x.dtype == np.float32
        scale = max(y.std(), 1e-9)
        assert abs(x.std() - y.std()) <= 0.15 * scale, name
        assert abs(x.mean() - y.mean()) <= 0.25 * scale, name
        if "Embedding" not in type(ours).__name__:
            assert np.abs(x).max() == pytest.approx(np.abs(y).max(), rel=0.05), name
        else:
            assert not x[1].any()
