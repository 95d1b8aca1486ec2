"""The scheduler that watches a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainstation.schedulers.base import LRScheduler, set_rate

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by `factor` when a metric has not improved for more than `patience` steps."""

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        """Prepare to watch a metric.

        Args:
            optimizer: has `param_groups`.
            mode: "min" if a smaller metric is better, "max" if a larger one.
            factor: < 1.
            patience: how many steps without improvement are forgiven.
            threshold: how much better counts as better: relative ("rel") or absolute ("abs"), by `threshold_mode`.
            threshold_mode: "rel" or "abs".
            cooldown: steps after a reduction in which nothing is counted.
            min_lr: no rate falls below it; one number, or one for each group.
            eps: a reduction smaller than this is not made.

        """
        if factor >= 1:
            msg = "Factor should be < 1.0."
            raise ValueError(msg)
        if mode not in ("min", "max"):
            msg = f"mode {mode} is unknown!"
            raise ValueError(msg)
        if threshold_mode not in ("rel", "abs"):
            msg = f"threshold mode {threshold_mode} is unknown!"
            raise ValueError(msg)
        super().__init__(optimizer, 0)
        self.min_lr = [float(m) for m in min_lr] if isinstance(min_lr, Sequence) else float(min_lr)
        count = len(optimizer.param_groups)
        if isinstance(self.min_lr, list) and len(self.min_lr) != count:
            msg = f"expected {count} min_lrs, got {len(self.min_lr)}"
            raise ValueError(msg)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode, self.eps = threshold, threshold_mode, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def _better(self, metric: float) -> bool:
        margin = self.threshold if self.mode == "max" else -self.threshold
        bound = self.best * (1 + margin) if self.threshold_mode == "rel" else self.best + margin
        return metric > bound if self.mode == "max" else metric < bound

    def step(self, metrics: float) -> None:
        """Take in a metric, and reduce the rates if it has stopped improving."""
        metric = float(metrics)
        self.last_epoch += 1
        if self._better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        least = self.min_lr if isinstance(self.min_lr, list) else [self.min_lr] * len(groups)
        if len(least) != len(groups):
            msg = f"expected {len(groups)} min_lrs, got {len(least)}: parameter groups have been added"
            raise ValueError(msg)
        for group, bound in zip(groups, least, strict=True):
            rate = float(group["lr"])
            reduced = max(rate * self.factor, bound)
            if rate - reduced > self.eps:
                set_rate(group, reduced)

    def state_dict(self) -> dict[str, Any]:
        """Return the counts, the best metric, and the current rates."""
        return {
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "last_epoch": self.last_epoch,
            "last_lr": self.get_last_lr(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was taken, and write the rates into the optimizer."""
        counts = {name: state_dict[name] for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")}
        rates = state_dict["last_lr"]
        self._check_groups(rates)
        vars(self).update(counts)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
