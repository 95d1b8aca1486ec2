"""Losses of classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation import ops
from trainstation.errors import ShapeError
from trainstation.nn.functional.losses import as_tensor, check_reduction, reduced
from trainstation.tensor import Tensor, apply

__all__ = ["cross_entropy", "nll_loss", "one_hot"]


def one_hot(tensor: Any, num_classes: int = -1) -> Tensor:
    """Return int64 (..., num_classes) with a 1 at each of the integers (...,); -1 is one class more than the largest.

    Raises:
        TypeError: the classes are not integers.
        IndexError: a class is negative, or not below `num_classes`.
        ValueError: there is nothing to tell the number of classes from.

    """
    classes = as_tensor(tensor).data
    if classes.dtype.kind not in "iu":
        msg = f"one_hot needs classes as integers, not {classes.dtype}"
        raise TypeError(msg)
    if num_classes < 1 and not classes.size:
        msg = "one_hot of nothing needs num_classes"
        raise ValueError(msg)
    count = num_classes if num_classes > 0 else int(classes.max()) + 1
    _check_classes("one_hot", classes, count)
    made = np.zeros((*classes.shape, count), np.int64)
    np.put_along_axis(made, classes[..., None].astype(np.intp), 1, axis=-1)
    return Tensor.from_numpy(made)


def cross_entropy(
    input: Tensor,
    target: Any,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log_softmax(input)[target], the negative log-likelihood of the classes.

    Args:
        input: logits (N, C, d1, ...), or (C,).
        target: class indices (N, d1, ...), or (), a tensor or an array of integers; or probabilities of input's shape.
        weight: of each class (C,). The mean is then the weighted one.
        ignore_index: targets of this index count for nothing; indices only.
        reduction: "mean", "sum" or "none".
        label_smoothing: the share of every target that is spread evenly over all classes.

    Raises:
        ShapeError: the shapes do not belong together.
        TypeError: the logits are not floating-point.
        IndexError: a target is not in 0 .. C-1.
        ValueError: another reduction, or a smoothing that is not in 0 .. 1.

    """
    target = as_tensor(target)
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        msg = f"label_smoothing is in 0 .. 1, not {label_smoothing}"
        raise ValueError(msg)
    is_probability = target.dtype.kind == "f"
    if is_probability and target.shape != input.shape:
        msg = f"probabilities have the shape of the logits, {input.shape}, not {target.shape}"
        raise ShapeError(msg)
    if weight is None and not is_probability:
        if input.ndim > 2:  # noqa: PLR2004  # N, C
            rows, classes = _rows("cross_entropy", input), _flat("cross_entropy", input, target)
        else:
            rows, classes = input, target
        options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "reduction": reduction}
        losses = apply(ops.nn.cross_entropy, rows, classes, **options)
        return losses.reshape(target.shape) if reduction == "none" else losses
    logs = apply(ops.nn.log_softmax, input, dim=min(input.ndim - 1, 1))
    if not is_probability and not label_smoothing:
        return nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    rows, count = _rows("cross_entropy", logs), logs.shape[min(logs.ndim - 1, 1)]
    if is_probability:
        wanted, divisor, shape = _rows("cross_entropy", target), float(len(rows)), _classes_shape(target)
    else:
        flat, shape = _flat("cross_entropy", input, target).data, target.shape
        chosen, shares = _shares("cross_entropy", flat, weight, count, ignore_index, logs.dtype)
        kept = flat != ignore_index
        at_class = np.zeros(rows.shape, logs.dtype)
        at_class[np.arange(len(flat)), chosen] = kept
        wanted, divisor = Tensor.from_numpy(at_class), float(shares.sum())
    if label_smoothing:
        spread = np.full(rows.shape, label_smoothing / count, logs.dtype)
        wanted = wanted * (1 - label_smoothing) + Tensor.from_numpy(
            spread if is_probability else spread * kept[:, None]
        )
    losses = -(rows * (wanted if weight is None else wanted * weight)).sum(dim=1)
    return _weighted(losses, shape, divisor, reduction)


def nll_loss(
    input: Tensor, target: Any, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-weight[target] * input[target]: log-probabilities (N, C, d1, ...) or (C,); the rest is as in `cross_entropy`."""
    target = as_tensor(target)
    rows, classes = _rows("nll_loss", input), _flat("nll_loss", input, target).data
    chosen, shares = _shares("nll_loss", classes, weight, rows.shape[1], ignore_index, input.dtype)
    picked = rows[np.arange(len(chosen)), chosen]
    ignored = classes == ignore_index
    if ignored.any():  # its infinity, if it is one, does not count either
        picked = picked.masked_fill(Tensor.from_numpy(ignored), 0.0)
    return _weighted(picked * Tensor.from_numpy(-shares), target.shape, float(shares.sum()), reduction)


def _weighted(losses: Tensor, shape: tuple[int, ...], divisor: float, reduction: str) -> Tensor:
    if reduction == "mean":
        return losses.sum() * (1 / divisor if divisor else math.nan)
    return reduced(losses, "sum") if reduction == "sum" else reduced(losses, reduction).reshape(shape)


def _classes_shape(input: Tensor) -> tuple[int, ...]:
    """Return the shape without that of the classes: (N, C, d1, ...) -> (N, d1, ...), (C,) -> ()."""
    return input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()


def _rows(name: str, input: Tensor) -> Tensor:
    """Return (N, C, d1, ...) or (C,) as rows of classes."""
    if input.ndim == 0:
        msg = f"{name} needs (N, C, ...) or (C,), not a number"
        raise ShapeError(msg)
    if input.ndim == 2:  # noqa: PLR2004  # N, C
        return input
    count = math.prod(_classes_shape(input))
    last = input.permute(0, *range(2, input.ndim), 1) if input.ndim > 1 else input
    return last.reshape(count, last.shape[-1])


def _flat(name: str, input: Tensor, target: Tensor) -> Tensor:
    """Return the class indices of `_rows`."""
    if target.dtype.kind not in "iu":
        msg = f"{name} needs class indices as integers, not {target.dtype}"
        raise TypeError(msg)
    if input.ndim == 0 or target.shape != _classes_shape(input):
        msg = f"{name} needs (N, C, ...) and targets (N, ...), not {input.shape} and {target.shape}"
        raise ShapeError(msg)
    return Tensor.from_numpy(target.data.reshape(-1))


def _check_classes(name: str, classes: NDArray[Any], count: int) -> None:
    if classes.size and not 0 <= classes.min() <= classes.max() < count:
        msg = f"{name}: a target is not in 0 .. {count - 1}"
        raise IndexError(msg)


def _shares(
    name: str, classes: NDArray[Any], weight: Tensor | None, count: int, ignore_index: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the classes with 0 for those ignored, and how much each row counts."""
    kept = classes != ignore_index
    chosen = np.where(kept, classes, 0)
    _check_classes(name, chosen, count)
    if weight is not None and weight.shape != (count,):
        msg = f"{name} needs one weight for each of {count} classes, not {weight.shape}"
        raise ShapeError(msg)
    return chosen, kept.astype(dtype) if weight is None else weight.data[chosen] * kept
