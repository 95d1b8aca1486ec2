"""Lion and cautious Lion, equal to pytorch_optimizer's."""

import numpy as np
import pytest
import pytorch_optimizer

import trainstation as ts
from trainstation.testing import check_reference

# The reference rounds its momentum otherwise; a sign that this turned would be a difference of two whole steps.
OPTIONS = [
    {"lr": 0.01},
    {"lr": 0.01, "weight_decay": 0.1},
    {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.8)},
    {"lr": 0.01, "weight_decay": 0.1, "betas": (0.0, 0.9), "maximize": True},
    {"lr": 0.0, "weight_decay": 0.1},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", ["lion", "clion"])
def test_equals_pytorch_optimizers(name, options):
    second = {"lr": 0.003, "weight_decay": 0.2, "betas": (0.8, 0.95)}
    theirs = {"cautious": True} if name == "clion" else {}
    check_reference(name, pytorch_optimizer.Lion, options, theirs=theirs, second=second)


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 0), (2, 3)])
def test_clion_in_float32_follows_the_papers_program(shape):
    rng = np.random.default_rng(0)
    p = ts.tensor(np.asarray(rng.standard_normal(shape), np.float32), requires_grad=True)
    optimizer = ts.create_optimizer("clion", [p], lr=0.01, betas=(0.8, 0.95), weight_decay=0.3)
    expected, m = p.data.astype(np.float64), np.zeros(shape)
    for _ in range(20):
        g = np.asarray(rng.standard_normal(shape), np.float32)
        p.grad = ts.tensor(g)
        optimizer.step()
        direction = np.sign(0.8 * m + 0.2 * g)
        mask = np.where(direction * g > 0, 1.0, 0.0)
        expected = expected - 0.01 * (direction * mask * (mask.size / (mask.sum() + 1)) + 0.3 * expected)
        m = 0.95 * m + 0.05 * g
    np.testing.assert_allclose(p.data, expected, rtol=0, atol=20 * np.finfo(np.float32).eps)


def test_clion_moves_only_what_agrees_with_its_gradient():
    p = ts.tensor(np.array([1.0, 1.0, 1.0, 1.0]), requires_grad=True)
    optimizer = ts.create_optimizer("clion", [p], lr=0.1)
    for g in ([1.0, 1.0, 1.0, 0.0], [1.0, 1.0, -0.05, 0.0]):  # 0.9 * 0.01 > 0.1 * 0.05: the third still goes down
        p.grad = np.array(g)
        optimizer.step()
    first, second = 0.1 * 4 / (3 + 1), 0.1 * 4 / (2 + 1)
    np.testing.assert_allclose(p.data, [1 - first - second, 1 - first - second, 1 - first, 1.0], rtol=1e-15)
    assert optimizer.last_step.isa == "numpy"


@pytest.mark.parametrize("state_dtype", [None, "bfloat16"])
def test_clion_resumes_as_if_it_had_not_stopped(state_dtype):
    gradients = np.random.default_rng(1).standard_normal((10, 5)).astype(np.float32)

    def train(p, optimizer, some):
        for g in some:
            p.grad = ts.tensor(g)
            optimizer.step()

    whole, half = (ts.Tensor.ones(5, requires_grad=True) for _ in range(2))
    train(whole, ts.create_optimizer("clion", [whole], lr=0.1, state_dtype=state_dtype), gradients)
    first = ts.create_optimizer("clion", [half], lr=0.1, state_dtype=state_dtype)
    train(half, first, gradients[:4])
    second = ts.create_optimizer("clion", [half], state_dtype=state_dtype)
    second.load_state_dict(first.state_dict())
    train(half, second, gradients[4:])
    assert half.data.tobytes() == whole.data.tobytes()
