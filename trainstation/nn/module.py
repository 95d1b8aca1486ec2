"""Module: a function with parameters, buffers and modules of its own, found by attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from trainstation.gradtrack import mark_written
from trainstation.nn.loading import IncompatibleKeys, fill
from trainstation.tensor import Tensor

__all__ = ["Module", "Parameter", "framed"]

Own = TypeVar("Own")


class Parameter(Tensor):
    """A tensor that a module counts as its own to train."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        """Copy `data`; a parameter requires a gradient unless told otherwise."""
        super().__init__(data, requires_grad=requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


# What a name was registered as keeps what may be assigned to it: else a typing mistake would lose a parameter.
_EXPECTED: dict[type, tuple[str, str]] = {
    Parameter: ("parameter", "trainstation.nn.Parameter"),
    Tensor: ("buffer", "trainstation.Tensor"),
}


class Module:
    """Base of all layers and models: override `forward`, assign parameters and modules as attributes.

    There is no need to call `super().__init__()`. `training` is what `train()` and `eval()` set.
    """

    training: bool = True
    # By name, in the order of registration: Parameter, Module, or Tensor for a buffer.
    _kinds: Mapping[str, type] = MappingProxyType({})
    _transient: frozenset[str] = frozenset()  # buffers that are not saved

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._kinds.get(name)
        if isinstance(value, Parameter):
            self._register(name, Parameter)
        elif isinstance(value, Module) and kind is not Parameter:
            self._register(name, Module)
        elif kind is not None and not (value is None or (kind is Tensor and isinstance(value, Tensor))):
            what, expected = _EXPECTED.get(kind, ("child module", "trainstation.nn.Module"))
            msg = f"cannot assign '{type(value).__name__}' as {what} '{name}' ({expected} or None expected)"
            raise TypeError(msg)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in self._kinds:
            super().__setattr__("_kinds", {other: kind for other, kind in self._kinds.items() if other != name})

    def _register(self, name: str, kind: type) -> None:
        if self._kinds.get(name) is not kind:
            if not name or "." in name:
                msg = f"a name is not empty and has no dots: {name!r}"
                raise KeyError(msg)
            super().__setattr__("_kinds", {**self._kinds, name: kind})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Assign a parameter, or None for one that is left out, under a name that is still free."""
        self._register_new(name, param, Parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Assign a tensor that belongs to the state but is not trained; if not `persistent` it is not saved either."""
        self._register_new(name, tensor, Tensor)
        if not persistent:
            self._transient = self._transient | {name}

    def add_module(self, name: str, module: Module | None) -> None:
        """Assign a module under a name that need not be an identifier."""
        self._register_new(name, module, Module)

    register_module = add_module

    def _register_new(self, name: str, value: Any, kind: type) -> None:
        if hasattr(self, name) and name not in self._kinds:
            msg = f"attribute {name!r} already exists"
            raise KeyError(msg)
        if not (value is None or isinstance(value, kind)):
            msg = f"{name!r} is to be a {kind.__name__} or None, not {type(value).__name__}"
            raise TypeError(msg)
        self._register(name, kind)
        setattr(self, name, value)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the result; every module overrides this."""
        msg = f"{type(self).__name__} does not define forward"
        raise NotImplementedError(msg)

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`."""
        return self.forward(*inputs, **options)

    # What is inside

    def _own(self, kind: type[Own]) -> Iterator[tuple[str, Own]]:
        here = vars(self)
        for name, registered in self._kinds.items():
            if registered is kind and here[name] is not None:
                yield name, here[name]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the name and module of each attribute that is a module, each module once."""
        seen: set[int] = set()
        for name, module in self._own(Module):
            if id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """Yield each attribute that is a module, once."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "", *, remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Yield this module and all below under their dotted names, each once unless told otherwise."""
        return self._named_modules(prefix, set() if remove_duplicate else None)

    def _named_modules(self, prefix: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if id(self) in seen:
                return
            seen.add(id(self))
        yield prefix, self
        for name, child in self._own(Module):
            yield from child._named_modules(_dotted(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below, each once."""
        return (module for _, module in self.named_modules())

    def _named(
        self, kind: type[Own], prefix: str, *, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Own]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for module_name, module in modules:
            for name, value in module._own(kind):
                if id(value) not in seen:
                    if remove_duplicate:
                        seen.add(id(value))
                    yield _dotted(module_name, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter under its dotted name, in the order of registration, those of children last."""
        return self._named(Parameter, prefix, recurse=recurse, remove_duplicate=remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield each parameter once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield each buffer under its dotted name."""
        return self._named(Tensor, prefix, recurse=recurse, remove_duplicate=remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield each buffer once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of this dotted name; AttributeError if there is none."""
        found = dict(self.named_parameters(remove_duplicate=False)).get(target)
        if found is None:
            msg = f"{type(self).__name__} has no parameter {target!r}"
            raise AttributeError(msg)
        return found

    # What is done to all of it

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set evaluation mode here and below."""
        return self.train(mode=False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say of every parameter whether a gradient is wanted."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Take the gradients away, or fill them with zeros."""
        for parameter in self.parameters():
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.data[...] = 0
                mark_written(parameter.grad)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` with every module below and then with this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def to(self, dtype: DTypeLike) -> Self:
        """Convert all floating-point parameters, their gradients and buffers in place to a floating-point dtype."""
        wanted = np.dtype(dtype)
        if wanted.kind != "f":
            msg = f"a module is converted to a floating-point dtype, not {wanted}"
            raise TypeError(msg)
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.dtype.kind == "f" and tensor.dtype != wanted:
                gradient = tensor.grad
                tensor.data = tensor.data.astype(wanted)
                mark_written(tensor)
                tensor.grad = None if gradient is None else gradient.data.astype(wanted)
        return self

    def double(self) -> Self:
        """Convert to float64."""
        return self.to(np.float64)

    def float(self) -> Self:
        """Convert to float32."""
        return self.to(np.float32)

    # What is saved

    def _saved(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        for module_name, module in self.named_modules(prefix, remove_duplicate=False):
            for kind in (Parameter, Tensor):
                for name, value in module._own(kind):
                    if name not in module._transient:
                        yield _dotted(module_name, name), value

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Return every parameter and saved buffer by its dotted name; the tensors share memory with the module's."""
        return {name: tensor.detach() for name, tensor in self._saved(prefix)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Copy values (tensors or arrays) into the parameters and buffers of the same names.

        Args:
            state_dict: values by dotted name.
            strict: whether names may neither be missing nor be left over; shapes must fit in any case.

        Returns:
            The names that were missing and those that were left over, as `missing_keys` and `unexpected_keys`.

        Raises:
            ShapeError: a shape does not fit; the message lists everything that is wrong, and nothing was changed.
            ValueError: a name is missing or unexpected, or a dtype does not fit; likewise.

        """
        return fill(type(self).__name__, dict(self._saved()), state_dict, strict=strict)

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of the repr of a layer."""
        return ""

    def __repr__(self) -> str:
        return framed(self, [f"({name}): {child!r}" for name, child in self._own(Module)])


def _dotted(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def framed(module: Module, children: list[str]) -> str:
    """Return the repr of a module from those of its children."""
    extra = module.extra_repr()
    if not children:
        return f"{type(module).__name__}({extra})"
    lines = [line.replace("\n", "\n  ") for line in ([extra] if extra else []) + children]
    return f"{type(module).__name__}(\n  " + "\n  ".join(lines) + "\n)"
