"""Module: a function with parameters, found by attribute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from trainstation.tensor import Tensor

__all__ = ["Module", "Parameter"]


class Parameter(Tensor):
    """A tensor that a module counts as its own to train."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        """Copy `data`; a parameter requires a gradient unless told otherwise."""
        super().__init__(data, requires_grad=requires_grad)


class Module:
    """Base of all layers and models: override `forward`, assign parameters and modules as attributes."""

    training: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(vars(self).get(name), Parameter) and not (value is None or isinstance(value, Parameter)):
            kind = type(value).__name__
            msg = f"cannot assign '{kind}' as parameter '{name}' (trainstation.nn.Parameter or None expected)"
            raise TypeError(msg)
        super().__setattr__(name, value)

    def forward(self, *inputs: Any) -> Any:
        """Compute the result; every module overrides this."""
        msg = f"{type(self).__name__} does not define forward"
        raise NotImplementedError(msg)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`."""
        return self.forward(*inputs, **options)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the name and module of each attribute that is a module."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """Yield each attribute that is a module."""
        return (module for _, module in self.named_children())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter once, under its dotted name, in the order in which they were assigned."""
        seen: set[int] = set()
        for module_name, module in self._named_modules(prefix):
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{module_name}.{name}".lstrip("."), value

    def parameters(self) -> Iterator[Parameter]:
        """Yield each parameter once."""
        return (parameter for _, parameter in self.named_parameters())

    def _named_modules(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, child in self.named_children():
            yield from child._named_modules(f"{prefix}.{name}".lstrip("."))

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and below."""
        for _, module in self._named_modules(""):
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(mode=False)

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of the repr of a layer."""
        return ""

    def __repr__(self) -> str:
        inner = "".join(f"\n  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.named_children())
        return f"{type(self).__name__}({inner}\n)" if inner else f"{type(self).__name__}({self.extra_repr()})"
