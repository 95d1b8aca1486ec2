"""Lion as a user meets it: found by name, and equal to the paper's equations."""

import numpy as np

import trainstation as ts


def test_is_found_by_name_after_installation():
    info = ts.optimizer_info("lion")
    assert (info.distribution, info.origin) == ("trainstation-lion", "plugin")
    assert "lion" in ts.list_optimizers()


def test_follows_the_papers_program():
    rng = np.random.default_rng(0)
    p = ts.tensor(rng.standard_normal(7), requires_grad=True)
    optimizer = ts.create_optimizer("lion", [p], lr=0.01, betas=(0.8, 0.95), weight_decay=0.3)
    expected, m = p.data.copy(), np.zeros(7)
    for _ in range(20):
        g = rng.standard_normal(7)
        p.grad = g.copy()
        optimizer.step()
        direction = np.sign(0.8 * m + 0.2 * g)
        expected = expected - 0.01 * (direction + 0.3 * expected)
        m = 0.95 * m + 0.05 * g
    np.testing.assert_allclose(p.data, expected, rtol=1e-13)


def test_unknown_keyword_is_an_error():
    import pytest

    with pytest.raises(TypeError, match="momentum"):
        ts.create_optimizer("lion", momentum=0.9)
