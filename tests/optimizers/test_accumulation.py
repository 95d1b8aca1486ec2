import numpy as np
import pytest

import trainstation as ts
from trainstation import nn

INPUTS = np.random.default_rng(0).standard_normal((22, 4))
TARGETS = np.random.default_rng(1).standard_normal((22, 2))


def made():
    ts.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return model, ts.optimizers.SGD(model, lr=0.1)


def loss_of(model, rows):
    return nn.functional.mse_loss(model(ts.tensor(INPUTS[rows])), ts.tensor(TARGETS[rows]))


def gradients(model):
    return [parameter.grad.numpy().copy() for parameter in model.parameters()]


@pytest.mark.parametrize("size", [1, 5, 6, 11, 22])
def test_parts_make_the_gradient_of_the_whole_however_it_is_cut(size):
    model, optimizer = made()
    loss_of(model, slice(None)).backward()
    whole = gradients(model)  # accumulate() clears them
    with ts.accumulate(optimizer) as total:
        for begin in range(0, len(INPUTS), size):
            rows = slice(begin, min(begin + size, len(INPUTS)))
            total.backward(loss_of(model, rows), weight=rows.stop - rows.start)
    for a, b in zip(gradients(model), whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def test_without_weights_it_is_the_mean_of_the_parts():
    model, optimizer = made()
    with ts.accumulate(optimizer) as total:
        for rows in (slice(0, 11), slice(11, 22)):
            total.backward(loss_of(model, rows))
    parts = gradients(model)
    optimizer.zero_grad()
    loss_of(model, slice(None)).backward()
    for a, b in zip(parts, gradients(model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


def half_a_batch(model, optimizer):
    with ts.accumulate(optimizer) as total:
        total.backward(loss_of(model, slice(0, 5)))
        raise KeyboardInterrupt


def test_an_error_clears_the_gradients():
    model, optimizer = made()
    with pytest.raises(KeyboardInterrupt):
        half_a_batch(model, optimizer)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_may_be_used_again_and_may_be_empty():
    model, optimizer = made()
    context = ts.accumulate(optimizer)
    for _ in range(2):
        with context as total:
            total.backward(loss_of(model, slice(0, 5)), weight=5)
        first = gradients(model)
    loss = loss_of(model, slice(0, 5))
    optimizer.zero_grad()
    loss.backward()
    for a, b in zip(first, gradients(model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)
    with context:
        pass
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_a_weight_is_positive(weight):
    model, optimizer = made()
    with ts.accumulate(optimizer) as total, pytest.raises(ValueError, match=f"Invalid weight value: {weight}"):
        total.backward(loss_of(model, slice(0, 5)), weight=weight)
    assert all(parameter.grad is None for parameter in model.parameters())
