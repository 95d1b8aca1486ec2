"""An optimizer that is checked: how it is made, and which parameters it takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from inspect import signature
from typing import Any

from trainstation.optimizers import Optimizer
from trainstation.registry.lookup import find_optimizer
from trainstation.tensor import Tensor
from trainstation.testing.runs import draw, run
from trainstation.testing.verdicts import Result

__all__ = ["SHAPES", "Shape", "Subject"]

Shape = tuple[int, ...]

# Of each number of dimensions, two; those that an optimizer takes are what it is checked on.
SHAPES: dict[int, tuple[Shape, Shape]] = {
    2: ((3, 4), (4, 3)),
    1: ((6,), (5,)),
    3: ((2, 3, 2), (1, 2, 3)),
    0: ((), ()),
}


def _others(value: Any) -> Iterator[Any]:
    """Yield values that a hyper-parameter may have beside this one."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, tuple | list):
        for factor in (0.5, 0.95, 1.05):
            yield type(value)([each if isinstance(each, bool | str | None) else each * factor for each in value])
    elif isinstance(value, int) and value > 0:
        yield from (value + 1, max(1, value // 2))
    elif isinstance(value, int | float):
        if 0 < abs(value) < 1e-4:  # noqa: PLR2004  # a small number is there for safety; a larger one is felt
            yield 1e-2
        if value and math.isfinite(value):
            yield from (value * factor for factor in (0.5, 0.95, 1.05))
        yield from (0.1, 0.5, 2.0)


class Subject:
    """An optimizer by name or class, and options to make it with; nothing is looked up before it is needed."""

    def __init__(self, what: str | type[Optimizer], options: Mapping[str, Any] | None = None) -> None:
        self.what, self.given = what, dict(options or {})
        name = what if isinstance(what, str) else what.__name__
        settings = ",".join(f"{key}={value!r}" for key, value in self.given.items())
        self.label = f"{name}:{settings}" if settings else name
        self.results: dict[str, tuple[Result, Exception | None]] = {}

    @cached_property
    def cls(self) -> type[Optimizer]:
        """The class; TypeError if it is not an `Optimizer`."""
        cls = find_optimizer(self.what).load() if isinstance(self.what, str) else self.what
        if not issubclass(cls, Optimizer):
            msg = f"{self.label}: {cls.__name__} is no subclass of trainstation.optimizers.Optimizer"
            raise TypeError(msg)
        return cls

    @cached_property
    def options(self) -> dict[str, Any]:
        """What it is made with: the options of its name, and those that were given; no clipping unless it was."""
        named = find_optimizer(self.what).spec.defaults if isinstance(self.what, str) else None
        clipping = {"max_grad_norm": None} if self.keywords.get("max_grad_norm") else {}
        return {**clipping, **(named or {}), **self.given}

    def make(self, params: Sequence[Any] | None = None, **hyper: Any) -> Optimizer:
        """Return a new optimizer, ready to train; what is in its groups, not its signature, is set in groups."""
        of_groups = {name: hyper.pop(name) for name in list(hyper) if self._is_of_groups(name)}
        if params and of_groups:
            groups = params if isinstance(params[0], dict) else [{"params": params}]
            params = [{**of_groups, **group} for group in groups]
        made = self.cls(params, **{**self.options, **hyper})
        made.train()
        return made

    def _is_of_groups(self, name: str) -> bool:
        return name not in self.keywords and name in self.defaults

    def interpreted(self) -> Subject:
        """Return the same optimizer without its compiled rule: `update` steps."""
        cls = self.cls

        def variant(self: Optimizer, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
            return None, cls.variant(self, hyper)[1]

        return Subject(type(cls.__name__, (cls,), {"variant": variant, "rule": None}), self.options)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The hyper-parameters."""
        return self.make().defaults

    @cached_property
    def keywords(self) -> dict[str, Any]:
        """The names in the signature, without params, and their defaults."""
        parameters = signature(self.cls).parameters.values()
        named = (each for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD))
        return {each.name: each.default for each in named if each.name != "params"}

    def takes(self, **hyper: Any) -> bool:
        """Whether it can be made with these."""
        try:
            self.make(**hyper)
        except (TypeError, ValueError):
            return False
        return True

    @property
    def decay(self) -> dict[str, Any]:
        """A weight decay to make it with, if it has one."""
        return {"weight_decay": 0.1} if "weight_decay" in self.defaults else {}

    def another(self, name: str) -> Any:
        """Return another value that a keyword may have; None if none is found."""
        value = self.defaults.get(name, self.keywords[name])
        for other in _others(value):
            if other != value and self.takes(**{name: other}):
                parameters = self.parameters()
                try:
                    run(self.make(list(parameters.values()), **{name: other}), parameters, range(1))
                except (TypeError, ValueError):
                    continue
                return other
        return None

    def of_groups(self, name: str, value: Any) -> dict[str, Any]:
        """Return what a keyword of this value makes of hyper-parameters; it may go by another name in groups."""
        if value is None:
            return {}
        made = self.make(**{name: value}).defaults
        return {each: made[each] for each in made if made[each] != self.defaults.get(each)}

    # Parameters

    @cached_property
    def refusals(self) -> dict[int, str]:
        """Numbers of dimensions that it refuses, with its words; not in `update`, for others have moved by then."""
        found = {}
        for dimensions, (shape, _) in SHAPES.items():
            parameters = draw([shape])
            before = parameters[0].data.tobytes()
            try:
                run(self.make(list(parameters.values())), parameters, range(1))
            except (TypeError, ValueError) as error:
                from_update = any(note.startswith("raised by ") for note in getattr(error, "__notes__", ()))
                if not from_update and parameters[0].data.tobytes() == before:
                    found[dimensions] = str(error)
            except Exception:  # noqa: BLE001, S110  # no refusal; the check `steps` shows it
                pass
        return found

    @property
    def shapes(self) -> list[Shape]:
        """Shapes of parameters that it takes, at least four of them."""
        taken = [shape for dimensions, some in SHAPES.items() if dimensions not in self.refusals for shape in some]
        return taken if len(taken) > 2 else taken * 2  # noqa: PLR2004  # two of each number of dimensions

    def parameters(self, shapes: Sequence[Shape] | None = None, dtype: str = "float32") -> dict[int, Tensor]:
        """Return parameters that it takes, numbered."""
        return draw(self.shapes if shapes is None else shapes, dtype)

    def shaped(self, *shape: int) -> Shape:
        """Return the nearest shape of as many elements that it takes; () if it takes none."""
        size = math.prod(shape)
        for candidate in (shape, (size,), (1, size), (1, 1, size)):
            if len(candidate) not in self.refusals:
                return candidate
        return ()

    # How it behaves

    @cached_property
    def coupled(self) -> bool:
        """Whether, through `prepare`, a parameter's step depends on the others of the step, as Prodigy's does."""
        if self.cls.prepare is Optimizer.prepare:
            return False
        ends = []
        for count in (1, 2):
            parameters = self.parameters(self.shapes[:count])
            optimizer = self.make(list(parameters.values()))
            run(optimizer, parameters, [0] * 10)  # one direction: what is measured over all grows
            ends.append(parameters[0].data.tobytes())
        return ends[0] != ends[1]

    @cached_property
    def rate_counts_once(self) -> bool:
        """Whether lr matters at the first step of a parameter only, as the first step size of Rprop."""
        if not self.defaults.get("lr"):
            return False

        def end(made: float, later: float) -> list[bytes]:
            parameters = self.parameters()
            optimizer = self.make(list(parameters.values()), lr=made)
            run(optimizer, parameters, range(3))
            optimizer.set_learning_rate(later)
            run(optimizer, parameters, range(3, 8))
            return [parameter.data.tobytes() for parameter in parameters.values()]

        lr = self.defaults["lr"]
        return end(lr, lr) == end(lr, lr / 2) != end(lr / 2, lr / 2)
