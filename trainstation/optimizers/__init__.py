"""Optimizers: the base class, and those that come with trainstation."""

from trainstation.optimizers import functional
from trainstation.optimizers.adam import Adam, AdamW
from trainstation.optimizers.base import Optimizer
from trainstation.optimizers.rmsprop import RMSprop
from trainstation.optimizers.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "functional"]
