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
from collections.abc import Callable, Generator, Iterable, Sequence
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
# Where gradients of leaves will stand: arrays that a vjp may overwrite and return; None where there is no such place.
Out = Sequence[Array | None]
# (gradient of the result, out) -> one gradient a parent, None where it is not needed
VJP = Callable[[Array, Out], Gradients]
Hooks = dict[int, Callable[[Array], Array | None]]
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

    _hooks: Hooks | None
    _grad: Any

    def _accumulate_grad(self, gradient: Array) -> None: ...
    def _lend_grad(self) -> Array | None: ...


class Node:
    """One recorded operation: `parents` (None where no gradient is wanted), `vjp`, and the `saved` values' versions.

    `has_leaf` says that a parent is a tensor; `hooks` see the gradient of the result before `vjp` does.
    """

    __slots__ = ("has_leaf", "hooks", "name", "order", "parents", "saved", "vjp")

    def __init__(
        self, name: str, parents: Sequence[Node | Leaf | None], vjp: VJP, saved: Sequence[Saved], has_leaf: bool
    ) -> None:
        self.name = name
        self.parents = parents
        self.vjp: VJP | None = vjp
        self.saved = saved
        self.has_leaf = has_leaf
        self.hooks: Hooks | None = None
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


def _leading_to(wanted: Iterable[Node | Leaf], nodes: Sequence[Node]) -> set[Any]:
    """The nodes from which something wanted is reached, and what is wanted; `nodes` has them before their parents."""
    leading: set[Any] = set(wanted)
    for node in reversed(nodes):
        if not leading.isdisjoint(parent for parent in node.parents if parent is not None):
            leading.add(node)
    return leading


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


def _copy(room: Array, gradient: Array) -> None:
    """Write a gradient where it will stand."""
    if gradient.shape != room.shape:
        msg = f"a gradient of shape {gradient.shape} came to a tensor of shape {room.shape}"
        raise ShapeError(msg)
    np.copyto(room, gradient, casting="same_kind")


def _hooked(hooks: Hooks, gradient: Array) -> Array:
    """Show a gradient to hooks in the order of their registration; each may return another one."""
    for hook in tuple(hooks.values()):
        changed = hook(gradient)
        if changed is not None:
            gradient = changed
    return gradient


class _Backward:
    """One run through the graph: into all leaves, or only to what is wanted."""

    def __init__(self, wanted: set[Any] | None, nodes: Sequence[Node]) -> None:
        self.wanted = wanted
        self.leading = None if wanted is None else _leading_to(wanted, nodes)
        self.found: dict[Any, Array] = {}  # of what is wanted
        self.gradients: dict[Any, Array] = {}  # of nodes, and of leaves whose sum somebody wants to see

    def run(self, nodes: Sequence[Node], *, retain_graph: bool) -> None:
        gradients = self.gradients
        for node in nodes:
            upstream = gradients.pop(node, None)
            parents, vjp = node.parents, node.vjp
            if not retain_graph:
                node.vjp, node.parents = None, ()
            if upstream is None:  # what was computed from it gave nothing, or leads to nothing that is wanted
                continue
            if node.hooks:
                upstream = _hooked(node.hooks, upstream)
            if self.wanted is not None and node in self.wanted:
                self.found[node] = upstream
            if self.leading is not None:
                parents = [parent if parent in self.leading else None for parent in parents]
            assert vjp is not None
            if node.has_leaf and self.wanted is None:
                self._beside_leaves(parents, vjp, upstream)
            else:
                for parent, part in zip(parents, vjp(upstream, _NOWHERE), strict=True):
                    if parent is not None and part is not None:
                        known = gradients.get(parent)
                        gradients[parent] = part if known is None else known + part
        for leaf, gradient in gradients.items():
            total = _hooked(leaf._hooks, gradient) if leaf._hooks else gradient
            if self.wanted is None:
                leaf._accumulate_grad(total)
            else:
                self.found[leaf] = total

    def _beside_leaves(self, parents: Sequence[Node | Leaf | None], vjp: VJP, upstream: Array) -> None:
        """Let the gradients of leaves be written where they will stand."""
        out = [
            None if parent is None or type(parent) is Node or parent._hooks else parent._lend_grad()  # type: ignore[union-attr]  # not a Node, so a Leaf
            for parent in parents
        ]
        try:
            for parent, part, room in zip(parents, vjp(upstream, out), out, strict=True):
                if parent is None:
                    continue
                if part is None:
                    if room is not None:
                        parent._grad = None  # type: ignore[union-attr]  # likewise
                elif room is not None:
                    if part is not room:
                        _copy(room, part)
                elif type(parent) is Node or parent._hooks:  # type: ignore[union-attr]  # likewise
                    known = self.gradients.get(parent)
                    self.gradients[parent] = part if known is None else known + part
                else:
                    parent._accumulate_grad(part)  # type: ignore[union-attr]  # likewise
        except BaseException:
            for parent, room in zip(parents, out, strict=True):
                if room is not None:
                    parent._grad = None  # type: ignore[union-attr]  # likewise
            raise


_NOWHERE: Out = (None,) * 8


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
        seed = _seed(tensor, gradient)
        if tensor._node is not None:
            nodes = _nodes(tensor._node)
            backward = _Backward(None, nodes)
            backward.gradients[tensor._node] = seed
            backward.run(nodes, retain_graph=retain_graph)
        elif tensor._hooks:
            tensor._accumulate_grad(_hooked(tensor._hooks, seed))
        else:
            tensor._accumulate_grad(seed)

    @staticmethod
    def grad(output: Any, inputs: Sequence[Any], gradient: Any = None, retain_graph: bool = False) -> list[Any]:
        """Return the gradient of `output` with respect to each of `inputs` as an array, None where there is none.

        No `.grad` is touched. The rest is as in `backward`.
        """
        seed = _seed(output, gradient)
        places = [tensor if tensor._node is None else tensor._node for tensor in inputs]
        nodes = [] if output._node is None else _nodes(output._node)
        backward = _Backward(set(places), nodes)
        backward.gradients[output if output._node is None else output._node] = seed
        backward.run(nodes, retain_graph=retain_graph)
        return [backward.found.get(place) for place in places]


def _nodes(root: Node) -> list[Node]:
    nodes = _reachable(root)
    _check(nodes)
    return nodes


def _seed(tensor: Any, gradient: Any) -> Array:
    """Return the gradient to start with."""
    if not tensor.requires_grad:
        msg = "backward needs a result that requires a gradient; no tensor it was computed from does"
        raise GraphError(msg)
    data: Array = tensor.data
    if gradient is None:
        if data.size != 1:
            msg = f"backward() without a gradient needs a result of one element, not of shape {data.shape}"
            raise GraphError(msg)
        return np.ones_like(data)
    seed = np.asarray(getattr(gradient, "numpy", lambda: gradient)(), dtype=data.dtype)
    if seed.shape != data.shape:
        msg = f"the gradient has shape {seed.shape}, the tensor {data.shape}"
        raise ShapeError(msg)
    return seed


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
