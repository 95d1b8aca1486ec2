"""Each operation of the table against torch's in float64: values and gradients."""

import numpy as np
import pytest
import torch
from references import REFERENCES
from samples import SAMPLES

import trainstation as ts
from trainstation.ops import OPERATIONS
from trainstation.tensor import apply

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def test_every_operation_is_compared():
    assert set(REFERENCES) == set(OPERATIONS)


def cases():
    for name, samples in SAMPLES.items():
        for position, (inputs, options) in enumerate(samples):
            yield pytest.param(name, inputs, options, id=f"{name}-{position}")


def is_differentiable(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


@pytest.mark.parametrize(("name", "inputs", "options"), list(cases()))
def test_values_and_gradients(name, inputs, options):
    ours = [ts.tensor(x, requires_grad=is_differentiable(x)) if isinstance(x, np.ndarray) else x for x in inputs]
    theirs = [torch.tensor(x, requires_grad=is_differentiable(x)) if isinstance(x, np.ndarray) else x for x in inputs]
    value, reference = apply(OPERATIONS[name], *ours, **options), REFERENCES[name](*theirs, **options)
    assert value.shape == tuple(reference.shape)
    assert str(value.dtype) == str(reference.dtype).removeprefix("torch.")
    np.testing.assert_allclose(value.numpy(), reference.detach().numpy(), **CLOSE)
    along = np.random.default_rng(0).standard_normal(value.shape)
    value.backward(along)
    reference.backward(torch.tensor(along))
    for our, their in zip(ours, theirs, strict=True):
        if isinstance(our, ts.Tensor) and our.requires_grad:
            np.testing.assert_allclose(our.grad.numpy(), their.grad.numpy(), **CLOSE)
