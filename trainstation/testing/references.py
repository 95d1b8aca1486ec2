"""A check of an optimizer against another implementation of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trainstation.registry.lookup import get_optimizer
from trainstation.tensor import Tensor

__all__ = ["check_reference"]

SHAPES = ((3, 4), (5,), (2, 3, 2), (1,))


def check_reference(
    name: str,
    reference: Callable[..., Any],
    options: Mapping[str, Any] | None = None,
    *,
    theirs: Mapping[str, Any] | None = None,
    second: Mapping[str, Any] | None = None,
    shapes: Sequence[tuple[int, ...]] = SHAPES,
    steps: int = 100,
    late: int | None = 40,
    intermittent: bool = True,
    dtype: str = "float64",
    rtol: float = 1e-12,
    seed: int = 0,
) -> None:
    """Step an optimizer and a reference with torch's interface side by side, and compare all parameters at each step.

    Both get the same values and gradients: two groups, a third one that joins later, and a parameter that now and then
    has no gradient.

    Args:
        name: of ours.
        reference: makes theirs of torch parameter groups; usually a class.
        options: of both.
        theirs: options of the reference that differ from `options`; one of None is left out.
        second: what the second group has otherwise; by default twice the learning rate, where `options` has one.
        shapes: of the parameters. The first two are the first group, the last one comes late.
        steps: how many.
        late: the step before which the last parameter is linked; None: from the beginning.
        intermittent: whether the second parameter lacks its gradient at every third step.
        dtype: of all numbers.
        rtol: how far two elements may differ, relative to the largest one of the parameter.
        seed: of values and gradients.

    Raises:
        AssertionError: they differ; says at which step, in which parameter, by how much.

    """
    import torch

    options = dict(options or {})
    other = {key: value for key, value in {**options, **(theirs or {})}.items() if value is not None}
    second = ({"lr": 2 * options["lr"]} if "lr" in options else {}) if second is None else dict(second)
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    ours = [Tensor.from_numpy(array.copy()).requires_grad_() for array in arrays]
    mirrored = [torch.nn.Parameter(torch.from_numpy(array.copy())) for array in arrays]

    def groups(parameters: Sequence[Any]) -> list[dict[str, Any]]:
        rest = parameters[2:-1] if late is not None else parameters[2:]
        return [{"params": list(parameters[:2])}, {"params": list(rest), **second}]

    optimizer, peer = get_optimizer(name)(groups(ours), **options), reference(groups(mirrored), **other)
    for step in range(steps):
        if step == late:
            optimizer.add_param_group({"params": [ours[-1]]})
            peer.add_param_group({"params": [mirrored[-1]]})
        for position, (parameter, mirror) in enumerate(zip(ours, mirrored, strict=True)):
            gradient = rng.standard_normal(parameter.shape).astype(dtype)
            absent = intermittent and position == 1 and step % 3 == 1
            parameter.grad = None if absent else gradient
            mirror.grad = None if absent else torch.from_numpy(gradient.copy())
        optimizer.step()
        peer.step()
        for position, (parameter, mirror) in enumerate(zip(ours, mirrored, strict=True)):
            expected = mirror.detach().numpy()
            apart, allowed = np.abs(parameter.data - expected).max(), rtol * np.abs(expected).max()
            if not apart <= allowed:
                where = f"after step {step + 1}, in parameter {position}"
                msg = f"{name} is off its reference by {apart:.3g} {where}; allowed: {allowed:.3g}"
                raise AssertionError(msg)
