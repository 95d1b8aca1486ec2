"""The compiled rule: the bits of `update`, on every instruction set of this machine."""

from typing import Any

import numpy as np
import pytest
import trainstation as ts
from trainstation import kernels

SIZES = (0, 1, 7, 64, 257, 20_001)
OPTIONS: list[dict[str, Any]] = [{}, {"lr": 0.0}, {"momentum": 0.0}, {"weight_decay": 0.1, "maximize": True}]


def run(cls: Any, dtype: str, options: dict[str, Any]) -> tuple[list[np.ndarray[Any, Any]], str]:
    """Step five times; return all values and states, and what the rule ran on."""
    info, rng = np.finfo(dtype), np.random.default_rng(0)
    special = np.array([0.0, -0.0, info.tiny, -info.smallest_subnormal, info.max, -info.max], dtype)
    if not options.get("state_dtype"):
        special = np.append(special, np.array([np.inf, -np.inf, np.nan], dtype))
    parameters = [ts.tensor(rng.standard_normal(size).astype(dtype), requires_grad=True) for size in SIZES]
    optimizer = cls(parameters, **options)
    for step in range(5):
        for parameter in parameters:
            gradient = rng.standard_normal(parameter.shape).astype(dtype)
            gradient[step::50] = rng.choice(special, gradient[step::50].size)
            parameter.grad = gradient
        with np.errstate(all="ignore"):
            optimizer.step()
    arrays = [parameter.data for parameter in parameters]
    for parameter in parameters:
        arrays += map(np.asarray, optimizer.state[parameter].values())
    return arrays, optimizer.last_step.isa


def bits(array: np.ndarray[Any, Any]) -> tuple[bytes, bytes]:
    """Return the bytes; of a NaN only the position counts."""
    nan = np.isnan(array)
    return nan.tobytes(), array[~nan].tobytes()


def test_the_rule_is_compiled() -> None:
    rule = ts.get_optimizer("my_optimizer").rule
    assert rule == "my_optimizer"
    assert kernels.find_rule(rule), "installed without its library: `pip install -v -e .` says why"


@pytest.mark.parametrize("isa", kernels.isas())
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("dtype", "state_dtype"), [("float64", None), ("float32", None), ("float32", "bfloat16"), ("float32", "8bit")]
)
def test_gives_the_bits_of_update(isa: str, options: dict[str, Any], dtype: str, state_dtype: str | None) -> None:
    cls: Any = ts.get_optimizer("my_optimizer")
    options = {**options, "state_dtype": state_dtype}
    expected, interpreted = run(type("Interpreted", (cls,), {"rule": None}), dtype, options)
    threads = kernels.get_num_threads()
    try:
        for number in (1, 3):
            kernels.set_num_threads(number)
            with kernels.use(isa):
                found, compiled = run(cls, dtype, options)
            assert (interpreted, compiled) == ("numpy", isa)
            pairs = zip(found, expected, strict=True)
            different = [place for place, (one, other) in enumerate(pairs) if bits(one) != bits(other)]
            assert different == []  # to show all bytes takes minutes
    finally:
        kernels.set_num_threads(threads)
