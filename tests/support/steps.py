"""Optimizers to step, and what to compare of them."""

from typing import Any

import numpy as np
import pytest

import trainstation as ts
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop

# Optimizers and hyper-parameters that between them use every rule.
VARIANTS = [
    (Adam, {"weight_decay": 0.1}),
    (Adam, {"amsgrad": True, "maximize": True}),
    (AdamW, {"weight_decay": 0.1, "maximize": True}),
    (AdamW, {"amsgrad": True}),
    (SGD, {"weight_decay": 0.1}),
    (SGD, {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    (SGD, {"momentum": 0.9, "nesterov": True, "maximize": True}),
    (RMSprop, {"weight_decay": 0.1}),
    (RMSprop, {"centered": True, "maximize": True}),
    (RMSprop, {"momentum": 0.9}),
    (RMSprop, {"centered": True, "momentum": 0.9}),
]
variants = pytest.mark.parametrize(
    ("kind", "hyper"), VARIANTS, ids=[" ".join([kind.__name__, *map(str, hyper)]) for kind, hyper in VARIANTS]
)


def interpreted(kind):
    """Return the same optimizer without its compiled rule."""
    return type(kind.__name__, (kind,), {"rule": None})


def with_gradient(values, gradient, dtype=np.float32):
    """Return a parameter that has one."""
    p = ts.tensor(np.array(values, dtype), requires_grad=True)
    p.grad = np.array(gradient, dtype)
    return p


def bytes_of(value: Any) -> Any:
    """Return the bytes of an array, or of each of a list."""
    return [bytes_of(each) for each in value] if isinstance(value, list | tuple) else np.asarray(value).tobytes()


def everything(optimizer):
    """Return all bytes that a step may change."""
    return [
        (p.data.tobytes(), {name: bytes_of(value) for name, value in optimizer.state.get(p, {}).items()})
        for group in optimizer.param_groups
        for p in group["params"]
    ]


both = pytest.mark.parametrize("wrap", [lambda kind: kind, interpreted], ids=["compiled", "interpreted"])


def stepped(kind=Adam, n=5, steps=2, count=3, **hyper):
    """An optimizer whose table is warm, and its parameters."""
    rng = np.random.default_rng(n)
    params = [with_gradient(rng.standard_normal(n), rng.standard_normal(n)) for _ in range(count)]
    optimizer = kind([{"params": params[:2]}, {"params": params[2:]}] if count > 2 else params, **hyper)
    for _ in range(steps):
        optimizer.step()
    return optimizer, params


def same_after_a_step(first, second):
    first.step()
    second.step()
    assert everything(first) == everything(second)
