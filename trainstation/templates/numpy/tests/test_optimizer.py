"""The optimizer as a user meets it: found by name, sound in all that is common, and equal to its equations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import trainstation as ts
from trainstation.testing import parametrize_with_checks


@parametrize_with_checks(["my_optimizer"])
def test_does_what_every_optimizer_does(check: Callable[[], None]) -> None:
    check()


def test_is_found_by_name_after_installation() -> None:
    info = ts.optimizer_info("my_optimizer")
    assert (info.distribution, info.origin) == ("trainstation-my-optimizer", "plugin")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 0), (2, 3)])
@pytest.mark.parametrize(
    "options", [{}, {"momentum": 0.5, "weight_decay": 0.1}, {"momentum": 0.0}, {"lr": 0.5, "maximize": True}]
)
def test_follows_its_equations(dtype: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    """Against a program of its own, in double precision, as the paper would write it."""
    hyper = {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.0, "maximize": False, **options}
    rng = np.random.default_rng(0)
    parameter = ts.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
    optimizer = ts.create_optimizer("my_optimizer", [parameter], **hyper)
    p, m = parameter.data.astype("float64"), np.zeros(shape)
    for _ in range(100):
        gradient = rng.standard_normal(shape).astype(dtype)
        parameter.grad = ts.tensor(gradient)
        optimizer.step()
        g = -gradient.astype("float64") if hyper["maximize"] else gradient.astype("float64")
        m = hyper["momentum"] * m + (1 - hyper["momentum"]) * g
        p = p - hyper["lr"] * (np.sign(m) + hyper["weight_decay"] * p)
    np.testing.assert_allclose(parameter.data, p, rtol=0, atol=100 * np.finfo(dtype).eps * max(1, 100 * hyper["lr"]))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -1}, "learning rate"),
        ({"momentum": 1.0}, "momentum value"),
        ({"momentum": -0.1}, "momentum value"),
        ({"weight_decay": -1}, "weight_decay value"),
    ],
)
def test_refuses_what_is_out_of_range(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer("my_optimizer", **options)
