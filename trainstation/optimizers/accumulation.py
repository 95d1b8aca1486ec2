"""One step from several backward passes, for batches that do not fit in memory."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any, Self

from trainstation.optimizers.groups import gradient_of

__all__ = ["accumulate"]


class accumulate:  # noqa: N801  # used as a function
    """The gradient of a whole batch, made of parts: a context, after which the optimizer can step.

        for batch in batches:
            with ts.accumulate(optimizer) as total:
                for images, labels in batch:
                    total.backward(loss_of(model(images), labels), weight=len(labels))
            ts.clip_grad_norm_(model, 1.0)
            optimizer.step()
            scheduler.step()

    It begins with `optimizer.zero_grad()`. At its end the gradients are `sum(weight * gradient) / sum(weight)`: where
    each loss is the mean over its part and the weight its size, that of the mean over the whole batch, however it was
    cut; a last part or a last batch that is smaller needs no care. An exception within it clears the gradients, so that
    half a batch is never stepped. It works with torch's optimizers too.

    Args:
        optimizer: whatever has `zero_grad()` and `param_groups`.

    """

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self.weight = 0.0  # of all parts so far

    def __enter__(self) -> Self:
        self._optimizer.zero_grad()
        self.weight = 0.0
        return self

    def backward(self, loss: Any, weight: float = 1.0) -> None:
        """Add the gradient of a part's mean loss, times a weight > 0, usually the size of the part."""
        if not (weight > 0 and math.isfinite(weight)):
            msg = f"Invalid weight value: {weight}"
            raise ValueError(msg)
        (loss if weight == 1 else loss * float(weight)).backward()
        self.weight += weight

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._optimizer.zero_grad()
        elif self.weight not in (0, 1):
            seen: set[int] = set()
            for group in self._optimizer.param_groups:
                for parameter in group["params"]:
                    gradient = gradient_of(parameter)
                    if gradient is not None and id(parameter) not in seen:
                        seen.add(id(parameter))
                        gradient /= self.weight
