"""Learning rates as functions of the step: `schedule(step, base_lr) -> lr`.

A schedule knows no optimizer: it can be called, plotted and pickled alone. `trainstation.schedulers` write its rates
into one.
"""

from trainstation.schedules.composed import Chain, Joined
from trainstation.schedules.curves import (
    Constant,
    Cosine,
    Exponential,
    InverseSquareRoot,
    Lambda,
    Linear,
    MultiStep,
    Polynomial,
    Schedule,
    Step,
    WarmupStableDecay,
)
from trainstation.schedules.cycles import CosineRestarts, Cycle, OneCycle
from trainstation.schedules.recursive import Anneal, Kept, Multiplicative

__all__ = [
    "Anneal",
    "Chain",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "Cycle",
    "Exponential",
    "InverseSquareRoot",
    "Joined",
    "Kept",
    "Lambda",
    "Linear",
    "MultiStep",
    "Multiplicative",
    "OneCycle",
    "Polynomial",
    "Schedule",
    "Step",
    "WarmupStableDecay",
]
