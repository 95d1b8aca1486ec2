"""Optimizers that are wrong on purpose: a benchmark that can be believed must rank them last.

An import registers them, in this process alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import trainstation as ts
from trainstation.optimizers import Adam, AdamW

__all__ = ["BROKEN", "IDLE"]

LATE = 10**9  # a step at which the corrections are 1
GROWTH = 10.0  # so large that it shows within a trial


@ts.register_optimizer(name="control_idle", summary="Adam with a learning rate of 0", tags=("control",))
class Idle(Adam):
    """Adam that never moves."""

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return Adam's, of a rate of 0."""
        return super().scalars({**hyper, "lr": 0.0}, t)


@ts.register_optimizer(name="control_broken", summary="AdamW uncorrected, and its decay is growth", tags=("control",))
class Broken(AdamW):
    """AdamW without bias correction, and with the wrong sign before its weight decay."""

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:  # noqa: ARG002  # that is what is wrong
        """Return AdamW's, of a step without corrections."""
        return super().scalars({**hyper, "weight_decay": -GROWTH * hyper["weight_decay"]}, LATE)


IDLE, BROKEN = "control_idle", "control_broken"
