"""Lion as a user meets it: found by name, and equal to the paper's equations."""

import numpy as np
import pytest

import trainstation as ts


def test_is_found_by_name_after_installation():
    info = ts.optimizer_info("lion")
    assert (info.name, info.distribution, info.origin) == ("lion", "trainstation-lion", "plugin")
    assert info.version
    assert info.module == "trainstation_lion.lion"
    assert "lion" in ts.list_optimizers(origin="plugin", tags=("sign", "momentum"))
    assert ts.get_optimizer("Lion") is ts.get_optimizer("trainstation-lion/lion")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 0), (2, 3)])
@pytest.mark.parametrize("maximize", [False, True])
def test_follows_the_papers_program(dtype, shape, maximize):
    rng = np.random.default_rng(0)
    p = ts.tensor(np.asarray(rng.standard_normal(shape), dtype), requires_grad=True)
    optimizer = ts.create_optimizer("lion", [p], lr=0.01, betas=(0.8, 0.95), weight_decay=0.3, maximize=maximize)
    expected, m = p.data.astype(np.float64), np.zeros(shape)
    for _ in range(20):
        g = np.asarray(rng.standard_normal(shape), dtype)
        p.grad = ts.tensor(g)
        optimizer.step()
        g = np.float64(-g if maximize else g)
        direction = np.sign(0.8 * m + 0.2 * g)
        expected = expected - 0.01 * (direction + 0.3 * expected)
        m = 0.95 * m + 0.05 * g
    np.testing.assert_allclose(p.data, expected, rtol=0, atol=20 * np.finfo(dtype).eps)


def test_a_zero_gradient_without_momentum_only_decays():
    p = ts.tensor(np.array([2.0, -4.0]), requires_grad=True)
    optimizer = ts.create_optimizer("lion", [p], lr=0.5, weight_decay=0.5)
    p.grad = ts.Tensor.zeros(2, dtype=np.float64)
    optimizer.step()
    assert p.data.tolist() == [1.5, -3.0]


def test_resumes_as_if_it_had_not_stopped():
    gradients = np.random.default_rng(1).standard_normal((10, 5))

    def train(p, optimizer, some):
        for g in some:
            p.grad = ts.tensor(g)
            optimizer.step()

    whole, half = (ts.Tensor.ones(5, dtype=np.float64, requires_grad=True) for _ in range(2))
    train(whole, ts.create_optimizer("lion", [whole]), gradients)
    first = ts.create_optimizer("lion", [half])
    train(half, first, gradients[:4])
    second = ts.create_optimizer("lion", [half], lr=1.0)
    second.load_state_dict(first.state_dict())
    train(half, second, gradients[4:])
    assert half.data.tobytes() == whole.data.tobytes()


@pytest.mark.parametrize(
    ("options", "text"),
    [({"lr": -1}, "learning rate"), ({"betas": (0.9, 1.0)}, "beta parameter"), ({"weight_decay": -1}, "weight_decay")],
)
def test_refuses_what_is_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer("lion", **options)


def test_unknown_keyword_is_an_error():
    with pytest.raises(TypeError, match="momentum"):
        ts.create_optimizer("lion", momentum=0.9)
