"""Parameter groups by name and shape: which parameters decay, and at which rate a layer learns.

The groups go to any optimizer, of tensors or of torch's parameters:

>>> import trainstation as ts
>>> model = ts.nn.Sequential(ts.nn.Linear(4, 8), ts.nn.LayerNorm(8), ts.nn.Linear(8, 2))
>>> optimizer = ts.optimizers.AdamW(ts.param_groups_weight_decay(model, 0.05), lr=1e-3)
>>> [(group["name"], group["weight_decay"], group["param_names"]) for group in optimizer.param_groups]
[('no_decay', 0.0, ['0.bias', '1.weight', '1.bias', '2.bias']), ('decay', 0.05, ['0.weight', '2.weight'])]

"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from trainstation.optimizers.groups import entries_of

__all__ = ["param_groups_layer_decay", "param_groups_weight_decay"]

Group = dict[str, Any]


def param_groups_weight_decay(
    model: Any, weight_decay: float = 1e-5, no_weight_decay_list: Iterable[str] = ()
) -> list[Group]:
    """Return two groups, "no_decay" and "decay": biases, norms and whatever has at most one dimension do not decay.

    Parameters that require no gradient are left out, shared ones appear once, and a group without any is not made.

    Args:
        model: a module, or (name, parameter) pairs.
        weight_decay: of the others.
        no_weight_decay_list: names, or shell patterns of names, of more that do not decay.

    Raises:
        TypeError: parameters without names.
        ValueError: there is no parameter that requires a gradient.

    """
    patterns = _patterns(no_weight_decay_list)
    groups: dict[str, Group] = {}
    for name in ("no_decay", "decay"):
        groups[name] = {"params": [], "weight_decay": weight_decay if name == "decay" else 0.0, "name": name}
    for name, parameter in _named(model):
        groups["decay" if _decays(name, parameter, patterns) else "no_decay"]["params"].append((name, parameter))
    return [group for group in groups.values() if group["params"]]


def param_groups_layer_decay(
    model: Any,
    weight_decay: float = 0.05,
    no_weight_decay_list: Iterable[str] = (),
    layer_decay: float = 0.75,
    *,
    min_scale: float = 0.0,
    layer_of: Callable[[str], Any] | None = None,
) -> list[Group]:
    """Return groups whose rates fall from the last layer to the first: "lr_scale" is `layer_decay ** (last - layer)`.

    A native optimizer multiplies the rate of its steps by it. torch's, and those of `trainstation.interop.torch`, do
    not: there timm's schedulers do, or `group["lr"] = lr * group["lr_scale"]` before the scheduler is made. Each layer
    has up to two groups, "layer_0_no_decay" and "layer_0_decay", ..., as
    `param_groups_weight_decay` tells them apart. (Clark et al., 2020, arXiv:2003.10555, section 3.4.)

    Args:
        model: a module, or (name, parameter) pairs; the layers are numbered in their order.
        weight_decay: of those that decay.
        no_weight_decay_list: names, or shell patterns of names, of more that do not decay.
        layer_decay: > 0, from layer to layer.
        min_scale: no "lr_scale" is below it.
        layer_of: what parameters of one layer have in common, from a name; by default the name up to its first number,
            "blocks.0" for "blocks.0.attention.weight", or without one all but its last part.

    Raises:
        TypeError: parameters without names.
        ValueError: `layer_decay` is not positive, or there is no parameter that requires a gradient.

    """
    if not 0 < layer_decay < math.inf:
        msg = f"Invalid layer_decay value: {layer_decay}"
        raise ValueError(msg)
    patterns = _patterns(no_weight_decay_list)
    named = list(_named(model))
    layers: dict[Any, int] = {}
    for name, _ in named:
        layers.setdefault((layer_of or _layer_of)(name), len(layers))
    groups: dict[tuple[int, bool], Group] = {}
    for name, parameter in named:
        layer, decays = layers[(layer_of or _layer_of)(name)], _decays(name, parameter, patterns)
        group = groups.setdefault(
            (layer, decays),
            {
                "params": [],
                "weight_decay": weight_decay if decays else 0.0,
                "lr_scale": max(min_scale, layer_decay ** (len(layers) - 1 - layer)),
                "name": f"layer_{layer}_{'decay' if decays else 'no_decay'}",
            },
        )
        group["params"].append((name, parameter))
    return [groups[key] for key in sorted(groups)]


def _named(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parameters that are trained, each once, with their names."""
    known: set[int] = set()
    for name, parameter in entries_of(model):
        if name is None:
            kind = type(parameter).__name__
            msg = f"a module or (name, parameter) pairs are needed, as of model.named_parameters(), not {kind}"
            raise TypeError(msg)
        if getattr(parameter, "requires_grad", True) and id(parameter) not in known:
            known.add(id(parameter))
            yield name, parameter
    if not known:
        msg = "there is no parameter that requires a gradient"
        raise ValueError(msg)


def _patterns(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _decays(name: str, parameter: Any, patterns: tuple[str, ...]) -> bool:
    is_small = parameter.data.ndim <= 1 or name.rpartition(".")[2] == "bias"
    return not (is_small or any(fnmatchcase(name, pattern) for pattern in patterns))


def _layer_of(name: str) -> str:
    parts = name.split(".")
    number = next((place for place, part in enumerate(parts) if part.isdigit()), None)
    return ".".join(parts[:-1] if number is None else parts[: number + 1])
