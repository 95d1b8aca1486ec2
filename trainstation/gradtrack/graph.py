"""GradTrack: records what was computed, and runs it backward.

A `Node` stands for one recorded operation. It knows its parents and its vector-Jacobian product, and keeps no tensor
alive that backward does not need. Nodes of different threads never meet unless a tensor is handed over; whether a
thread records is that thread's own switch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import GraphError, ShapeError
from trainstation.gradtrack.switch import is_grad_enabled

__all__ = ["GradTrack", "mark_written"]

Array = NDArray[Any]
Gradients = Sequence[Array | None]
# Where gradients of leaves will stand: arrays that a vjp may overwrite and return; None where there is no such place.
Out = Sequence[Array | None]
# (gradient of the result, out) -> one gradient a parent, None where it is not needed
VJP = Callable[[Array, Out], Gradients]
Hook = Callable[[Array], Array | None]
Hooks = dict[int, Hook]
# A value that backward reads: its tensor's version counter, and what the counter said when it was recorded.
Saved = tuple[list[int], int]

_creation_order = itertools.count()


class RemovableHook:
    """What registering a hook returns; as a context, it removes the hook at its end."""

    __slots__ = ("_hooks", "_key")

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self._hooks, self._key = hooks, next(_creation_order)
        hooks[self._key] = hook

    def remove(self) -> None:
        """Have the hook called no more."""
        self._hooks.pop(self._key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class Leaf(Protocol):
    """What a graph ends at: a tensor that collects gradients. One that was computed has the node of that, too."""

    _node: Node | None
    _hooks: Hooks | None
    _grad: Any

    def _accumulate_grad(self, gradient: Array) -> None: ...
    def _lend_grad(self) -> Array | None: ...


def mark_written(value: Any) -> None:
    """Note that the values of a tensor were written in place: a backward that needs the former ones is then an error.

    What keeps no count of its changes, a parameter of another kind, is left alone.
    """
    note = getattr(value, "_bump_version", None)
    if note is not None:
        note()


class Node:
    """One recorded operation: `parents` (None where no gradient is wanted), `vjp`, and the `saved` values' versions.

    `has_leaf` says that a parent is a tensor; `_hooks` see the gradient of the result before `vjp` does.
    """

    __slots__ = ("_hooks", "has_leaf", "name", "order", "parents", "saved", "vjp")

    def __init__(
        self, name: str, parents: Sequence[Node | Leaf | None], vjp: VJP, saved: Sequence[Saved], has_leaf: bool
    ) -> None:
        self.name = name
        self.parents = parents
        self.vjp: VJP | None = vjp
        self.saved = saved
        self.has_leaf = has_leaf
        self._hooks: Hooks | None = None
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


def _copy(room: Array, gradient: Array | None) -> None:
    """Write a gradient where it will stand; none is 0."""
    if gradient is None:
        room[...] = 0
        return
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

    def __init__(self, nodes: Sequence[Node], wanted: set[Any] | None = None) -> None:
        self.nodes = nodes
        self.wanted = wanted
        self.leading = None if wanted is None else _leading_to(wanted, nodes)
        self.found: dict[Any, Array] = {}  # of what is wanted
        self.gradients: dict[Any, Array] = {}  # of nodes, and of leaves whose sum a hook wants to see

    def run(self, *, retain_graph: bool) -> None:
        gradients = self.gradients
        for node in self.nodes:
            gradient = gradients.pop(node, None)
            parents, vjp = node.parents, node.vjp
            if not retain_graph:
                node.vjp, node.parents = None, ()
            if gradient is not None:  # else nothing that was computed from it gave one
                self._through(node, parents, vjp, gradient)  # type: ignore[arg-type]  # _check has seen the vjp
        for leaf, gradient in gradients.items():
            total = _hooked(leaf._hooks, gradient) if leaf._hooks else gradient
            if self.wanted is None:
                leaf._accumulate_grad(total)
            else:
                self.found[leaf] = total

    def _through(self, node: Node, parents: Sequence[Node | Leaf | None], vjp: VJP, gradient: Array) -> None:
        if node._hooks:
            gradient = _hooked(node._hooks, gradient)
        if self.wanted is None:
            if node.has_leaf:
                self._beside_leaves(parents, vjp, gradient)
            else:
                self._collect(parents, vjp(gradient, _NOWHERE))
            return
        if node in self.wanted:
            self.found[node] = gradient
        if node in self.leading:  # type: ignore[operator]  # known where something is wanted
            leading = [parent if parent in self.leading else None for parent in parents]  # type: ignore[operator]  # likewise
            self._collect(leading, vjp(gradient, _NOWHERE))

    def _collect(self, parents: Sequence[Node | Leaf | None], parts: Gradients) -> None:
        gradients = self.gradients
        for parent, part in zip(parents, parts, strict=True):
            if parent is None or part is None:
                continue
            if type(parent) is Node or self.wanted is not None or parent._hooks:
                known = gradients.get(parent)
                gradients[parent] = part if known is None else known + part
            else:
                parent._accumulate_grad(part)  # type: ignore[union-attr]  # a Leaf

    def _beside_leaves(self, parents: Sequence[Node | Leaf | None], vjp: VJP, gradient: Array) -> None:
        """Let the gradients of leaves be written where they will stand."""
        out: list[Array | None] = []
        for parent in parents:
            is_plain_leaf = parent is not None and type(parent) is not Node and not parent._hooks
            out.append(parent._lend_grad() if is_plain_leaf else None)  # type: ignore[union-attr]  # a Leaf
        try:
            parts = vjp(gradient, out)
            for part, room in zip(parts, out, strict=True):
                if room is not None and part is not room:
                    _copy(room, part)
        except BaseException:
            for parent, room in zip(parents, out, strict=True):
                if room is not None:
                    parent._grad = None  # type: ignore[union-attr]  # a Leaf
            raise
        self._collect([parent if room is None else None for parent, room in zip(parents, out, strict=True)], parts)


_NOWHERE: Out = (None,) * 8


class GradTrack:
    """This thread's automatic differentiation engine."""

    @staticmethod
    def enabled() -> bool:
        """Whether operations of this thread are recorded."""
        return is_grad_enabled()

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
            backward = _Backward(_nodes(tensor._node))
            backward.gradients[tensor._node] = seed
            backward.run(retain_graph=retain_graph)
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
        backward = _Backward([] if output._node is None else _nodes(output._node), set(places))
        backward.gradients[output if output._node is None else output._node] = seed
        backward.run(retain_graph=retain_graph)
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
    # A copy: it may be the gradient of a leaf, to which this backward adds.
    seed = np.array(getattr(gradient, "numpy", lambda: gradient)(), dtype=data.dtype)
    if seed.shape != data.shape:
        msg = f"the gradient has shape {seed.shape}, the tensor {data.shape}"
        raise ShapeError(msg)
    return seed
