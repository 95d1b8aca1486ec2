"""GradTrack: records what was computed, and runs it backward.

A `Node` stands for one recorded operation. It knows its parents and its vector-Jacobian product, and keeps no tensor
alive that backward does not need. Nodes of different threads never meet unless a tensor is handed over; whether a
thread records is that thread's own switch.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Generator, Sequence
from operator import attrgetter
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import GraphError, ShapeError

__all__ = ["GradTrack", "NoGradTrack", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

Array = NDArray[Any]
P = ParamSpec("P")
R = TypeVar("R")
Gradients = Sequence[Array | None]
# (gradient of the result, which parents need one) -> one gradient a parent, None where it is not needed
VJP = Callable[[Array, Sequence[bool]], Gradients]
# A value that backward reads: its tensor's version counter, and what the counter said when it was recorded.
Saved = tuple[list[int], int]

_creation_order = itertools.count()


class _Switch(threading.local):
    def __init__(self) -> None:
        self.enabled = True
        self.former: list[bool] = []


_switch = _Switch()


class Leaf(Protocol):
    """What a graph ends at: a tensor that collects gradients."""

    def _accumulate_grad(self, gradient: Array) -> None: ...


class Node:
    """One recorded operation: `parents` (None where no gradient is wanted), `vjp`, and the `saved` values' versions."""

    __slots__ = ("name", "order", "parents", "saved", "vjp")

    def __init__(self, name: str, parents: Sequence[Node | Leaf | None], vjp: VJP, saved: Sequence[Saved] = ()) -> None:
        self.name = name
        self.parents = parents
        self.vjp: VJP | None = vjp
        self.saved = saved
        self.order = next(_creation_order)


def _reachable(root: Node) -> list[Node]:
    """All nodes below `root`, each once, every node before its parents (a parent is always older)."""
    seen = {root}
    waiting = [root]
    while waiting:
        for parent in waiting.pop().parents:
            if type(parent) is Node and parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return sorted(seen, key=attrgetter("order"), reverse=True)


def _check(nodes: Sequence[Node]) -> None:
    """Raise GraphError before anything has moved if one of the nodes cannot be run."""
    for node in nodes:
        if node.vjp is None:
            msg = (
                f"backward was already run through {node.name!r} and freed the graph; "
                "pass retain_graph=True to the earlier backward to run it twice"
            )
            raise GraphError(msg)
        for version, at_record in node.saved:
            if version[0] != at_record:
                msg = (
                    f"a value that {node.name!r} needs for its gradient was modified in place since "
                    f"(version {version[0]}, expected {at_record}); run the forward pass again"
                )
                raise GraphError(msg)


def _run(root: Node, gradient: Array, *, retain_graph: bool) -> None:
    nodes = _reachable(root)
    _check(nodes)
    gradients = {root: gradient}
    for node in nodes:
        upstream = gradients.pop(node)
        parents, vjp = node.parents, node.vjp
        assert vjp is not None
        if not retain_graph:
            node.vjp, node.parents = None, ()
        for parent, part in zip(parents, vjp(upstream, [p is not None for p in parents]), strict=True):
            if parent is None or part is None:
                continue
            if type(parent) is Node:
                known = gradients.get(parent)
                gradients[parent] = part if known is None else known + part
            else:
                parent._accumulate_grad(part)  # type: ignore[union-attr]  # not a Node, so a Leaf


class GradTrack:
    """This thread's automatic differentiation engine."""

    @staticmethod
    def enabled() -> bool:
        """Whether operations of this thread are recorded."""
        return _switch.enabled

    @staticmethod
    def backward(tensor: Any, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add the gradient of `tensor` to `.grad` of every leaf that it was computed from.

        Args:
            tensor: the result to start from; it must require a gradient.
            gradient: the gradient of `tensor`, of its shape; None is 1 and needs a tensor of one element.
            retain_graph: keep the graph for another backward.

        Raises:
            GraphError: nothing was recorded, the graph has been freed, or a value it needs was modified in place.
            ShapeError: `gradient` has another shape than `tensor`.

        """
        if not tensor.requires_grad:
            msg = "backward needs a result that requires a gradient; no tensor it was computed from does"
            raise GraphError(msg)
        data = tensor.data
        if gradient is None:
            if data.size != 1:
                msg = f"backward() without a gradient needs a result of one element, not of shape {data.shape}"
                raise GraphError(msg)
            seed = np.ones_like(data)
        else:
            seed = np.asarray(getattr(gradient, "numpy", lambda: gradient)(), dtype=data.dtype)
            if seed.shape != data.shape:
                msg = f"the gradient has shape {seed.shape}, the tensor {data.shape}"
                raise ShapeError(msg)
        if tensor._node is None:
            tensor._accumulate_grad(seed)
        else:
            _run(tensor._node, seed, retain_graph=retain_graph)


def is_grad_enabled() -> bool:
    """Whether operations of this thread are recorded."""
    return _switch.enabled


class _Mode:
    """A context and decorator that records or not; what was before is kept by thread, so one object serves many."""

    def __init__(self, mode: bool) -> None:
        self._mode = mode

    def __enter__(self) -> Self:
        _switch.former.append(_switch.enabled)
        _switch.enabled = self._mode
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _switch.enabled = _switch.former.pop()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, or a generator function: then what its caller does between the steps is not affected."""
        if inspect.isgeneratorfunction(function):
            return self._decorate_generator(function)

        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            with _Mode(self._mode):
                return function(*args, **kwargs)

        return wrapped

    def _decorate_generator(self, function: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
            generator = function(*args, **kwargs)
            resume = functools.partial(next, generator)
            while True:
                try:
                    with _Mode(self._mode):
                        value = resume()
                except StopIteration as end:
                    return end.value
                try:
                    resume = functools.partial(generator.send, (yield value))
                except BaseException as error:  # noqa: BLE001  # GeneratorExit too: the generator decides
                    resume = functools.partial(generator.throw, error)

        return wrapped


class _PlainMode(_Mode):
    """A mode without arguments: as a decorator, the parentheses may be left out."""

    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, function: Callable[P, R], /) -> Callable[P, R]: ...  # type: ignore[misc]  # as in torch
    def __new__(cls, function: Any = None, /) -> Any:  # type: ignore[misc]  # likewise
        """Make the context, or decorate `function` at once."""
        return super().__new__(cls) if function is None else cls()(function)


class no_grad(_PlainMode):  # noqa: N801  # torch's name
    """Record nothing inside: `with no_grad():`, or as a decorator."""

    def __init__(self) -> None:
        super().__init__(mode=False)


class enable_grad(_PlainMode):  # noqa: N801  # torch's name
    """Record inside, also within `no_grad`: `with enable_grad():`, or as a decorator."""

    def __init__(self) -> None:
        super().__init__(mode=True)


class set_grad_enabled(_Mode):  # noqa: N801  # torch's name
    """Record or not from now on; as a context or a decorator, only inside."""

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self._before: bool | None = _switch.enabled
        _switch.enabled = mode

    def __enter__(self) -> Self:
        self._restore()
        return super().__enter__()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function; nothing changes outside of it."""
        self._restore()
        return super().__call__(function)

    def _restore(self) -> None:
        """Take back, once, what making this object has set: it was meant as a context or a decorator."""
        if self._before is not None:
            _switch.enabled, self._before = self._before, None


NoGradTrack = no_grad
