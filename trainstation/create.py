"""Optimizers made by name, over our parameters or torch's: above both the registry and `interop`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from trainstation.registry.lookup import find_optimizer, label_of

if TYPE_CHECKING:
    from trainstation.optimizers import Optimizer

__all__ = ["Entrant", "create_optimizer", "parse"]


@overload
def create_optimizer(name: str, params: None = None, **hyper: Any) -> Optimizer: ...


@overload
def create_optimizer(name: str, params: Iterable[Any], **hyper: Any) -> Any: ...


def create_optimizer(name: str, params: Iterable[Any] | None = None, **hyper: Any) -> Any:
    """Make an optimizer by name: `create_optimizer("adamw", model.parameters(), lr=3e-4)`.

    Of torch parameters it is a `torch.optim.Optimizer`; see `trainstation.interop.torch`.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `get_optimizer`.
        TypeError: the optimizer has no such hyper-parameter.

    """
    entry = find_optimizer(name)
    kind = entry.load()
    if sys.modules.get("torch") is not None and params is not None:  # or there is no torch parameter
        params, is_torch = _look_at(params)
        if is_torch:
            kind = _torch_class(kind, label_of(name))
    return kind(params, **{**(entry.spec.defaults or {}), **hyper})


def _look_at(params: Iterable[Any]) -> tuple[Iterable[Any], bool]:
    """Return the parameters, as a list if they can be read only once, and whether the first is torch's."""
    if isinstance(params, sys.modules["torch"].nn.Module):
        params = list(params.named_parameters()) or params  # without any, the native class refuses it
    if isinstance(params, Iterator):
        params = list(params)
    first: Any = params
    if isinstance(params, Collection) and not hasattr(params, "ndim"):
        first = next(iter(params), None)
        if isinstance(first, dict) and "params" in first:
            groups: list[Any] = list(params)
            for index, group in enumerate(groups):
                if isinstance(group, dict) and "params" in group:
                    inner, is_torch = _look_at(group["params"])
                    groups[index] = {**group, "params": inner}
            return groups, is_torch
        if isinstance(first, tuple) and len(first) == 2:  # noqa: PLR2004  # a name and a parameter
            first = first[1]
    return params, isinstance(first, sys.modules["torch"].Tensor)


def _torch_class(kind: type, name: str) -> type:
    """Return the torch class of a native one; any other class as it is."""
    from trainstation.optimizers import Optimizer

    if not issubclass(kind, Optimizer):
        return kind
    from trainstation.interop.torch.optimizers import optimizer_class

    return optimizer_class(kind, name)


@dataclass(frozen=True, slots=True)
class Entrant:
    """An optimizer with options, as it was asked for."""

    label: str
    name: str
    options: dict[str, Any]

    @property
    def is_peer(self) -> bool:
        """Whether it is another library's, to be compared with."""
        return "peer" in find_optimizer(self.name).spec.tags

    def make(self, parameters: Sequence[Any] | None) -> Any:
        """Return the optimizer of these parameters."""
        return create_optimizer(self.name, parameters, **self.options)


def parse(text: str) -> Entrant:
    """Read NAME or NAME:key=value,key=value; a value is a Python literal, or else a string.

    >>> parse("AdamW:state_dtype=8bit,betas=(0.9,0.99)")
    Entrant(label='adamw:state_dtype=8bit,betas=(0.9,0.99)', name='adamw', options={'state_dtype': '8bit', 'betas': (0.9, 0.99)})

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `trainstation.get_optimizer`.
        ValueError: the options are not of this form.

    """  # noqa: E501
    name, _, rest = text.partition(":")
    options = {}
    for part in re.split(r",(?=\w+=)", rest) if rest else ():
        key, equals, value = part.partition("=")
        if not key.isidentifier() or not equals:
            msg = f"{part!r} of {text!r} is no option; write NAME:key=value,key=value"
            raise ValueError(msg)
        options[key] = _literal(value)
    label = label_of(name)
    return Entrant(f"{label}:{rest}" if rest else label, label, options)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
