"""Optimizers: the base class, those that come with trainstation, and what belongs to their steps."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from trainstation.optimizers.accumulation import accumulate
from trainstation.optimizers.adam import Adam, AdamW
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.clip import clip_grad_norm_, clip_grad_value_
from trainstation.optimizers.ema import EMA, SWA
from trainstation.optimizers.rmsprop import RMSprop
from trainstation.optimizers.sgd import SGD

if TYPE_CHECKING:
    from trainstation.optimizers import functional

__all__ = [
    "EMA",
    "SGD",
    "SWA",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "accumulate",
    "clip_grad_norm_",
    "clip_grad_value_",
    "functional",
]


def __getattr__(name: str) -> Any:
    if name != "functional":  # which not everyone needs
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return import_module(f"{__name__}.functional")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
