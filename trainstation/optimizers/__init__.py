"""Optimizers: the base class, those that come with trainstation, and what belongs to their steps."""

from trainstation.optimizers import functional
from trainstation.optimizers.accumulation import accumulate
from trainstation.optimizers.adam import Adam, AdamW
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.clip import clip_grad_norm_, clip_grad_value_
from trainstation.optimizers.ema import EMA, SWA
from trainstation.optimizers.rmsprop import RMSprop
from trainstation.optimizers.sgd import SGD

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
