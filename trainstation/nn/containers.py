"""Modules made of modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, Self, overload

from trainstation.nn.activation import ReLU
from trainstation.nn.linear import Linear
from trainstation.nn.module import Module, framed

__all__ = ["ModuleList", "Sequential"]


class _List(Module):
    """Modules in an order, under the names 0, 1, ... unless they have others."""

    _chain: tuple[Module, ...] = ()  # kept beside the attributes, for a loop over them must be fast

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self._remember()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self._remember()

    def _remember(self) -> None:
        vars(self)["_chain"] = tuple(module for _, module in self._own(Module))

    def _replace(self, modules: Iterable[Any]) -> None:
        """Make these modules all there are."""
        modules = list(modules)
        for index, module in enumerate(modules):
            if not isinstance(module, Module):
                msg = f"{type(self).__name__} takes modules; argument {index} is a {type(module).__name__}"
                raise TypeError(msg)
        for name, _ in list(self._own(Module)):
            delattr(self, name)
        for index, module in enumerate(modules):
            self.add_module(str(index), module)

    def __len__(self) -> int:
        return len(self._chain)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._chain)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if not isinstance(index, slice):
            return self._chain[index]
        made = type(self).__new__(type(self))
        for name, module in list(self._own(Module))[index]:
            made.add_module(name, module)
        return made

    def __setitem__(self, index: int, module: Module) -> None:
        names = [name for name, _ in self._own(Module)]
        setattr(self, names[index], module)

    def append(self, module: Module) -> Self:
        """Add a module at the end, and return the container."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end, and return the container."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one of this index; all are named by number again."""
        modules = list(self._chain)
        modules.insert(index, module)
        self._replace(modules)
        return self


class Sequential(_List):
    """One module after the other."""

    def __init__(self, *modules: Module | OrderedDict[str, Module]) -> None:
        """Keep the modules, or those of one OrderedDict under its names."""
        if len(modules) == 1 and isinstance(modules[0], OrderedDict):
            for name, module in modules[0].items():
                self.add_module(name, module)
        else:
            self._replace(modules)

    _calls: tuple[Callable[[Any], Any], ...] = ()

    def _remember(self) -> None:
        super()._remember()
        calls: list[Callable[[Any], Any]] = []
        for module in self._chain:
            before = calls[-1] if calls else None
            if type(module) is ReLU and type(before) is Linear:  # not of classes that may do something else
                calls[-1] = before.forward_relu
            else:
                calls.append(module)
        vars(self)["_calls"] = tuple(calls)

    def forward(self, input: Any) -> Any:
        """Feed each module what the one before it gave; a ReLU behind a Linear is computed with it."""
        for call in self._calls:
            input = call(input)
        return input


class ModuleList(_List):
    """A list whose modules, and their parameters, are found; it computes nothing."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        """Keep the modules."""
        self._replace(modules or ())

    def __repr__(self) -> str:
        parts, first = [], 0
        for text, same in groupby(map(repr, self._chain)):
            count = len(list(same))
            parts.append(f"({first}-{first + count - 1}): {count} x {text}" if count > 1 else f"({first}): {text}")
            first += count
        return framed(self, parts)
