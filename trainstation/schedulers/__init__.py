"""Schedulers, under torch's names: they write `trainstation.schedules` into an optimizer.

A scheduler sets each group's "lr" from the group's "initial_lr" (its rate when the first scheduler came). The optimizer
needs no more than `param_groups`: torch's own can be driven too. Only the last one that is stepped sets the rate;
`ChainedScheduler` multiplies, `SequentialLR` takes turns.
"""

from trainstation.schedulers.base import LRScheduler, ScheduleLR
from trainstation.schedulers.composed import ChainedScheduler, SequentialLR
from trainstation.schedulers.cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from trainstation.schedulers.decays import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    InverseSquareRootLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
    WarmupStableDecayLR,
)
from trainstation.schedulers.plateau import ReduceLROnPlateau
from trainstation.schedulers.recursive import SWALR, LambdaLR, MultiplicativeLR

__all__ = [
    "SWALR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "InverseSquareRootLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "ScheduleLR",
    "SequentialLR",
    "StepLR",
    "WarmupStableDecayLR",
]
