"""What everyone calls: optimizers by name, built-in, installed or registered by a script."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, overload

from trainstation.errors import DuplicateOptimizerError
from trainstation.registry.discovery import PluginInfo, Plugins
from trainstation.registry.names import CORE, Entry, OptimizerInfo, OptimizerSpec
from trainstation.registry.problem import Problem
from trainstation.registry.spaces import Space

if TYPE_CHECKING:
    from trainstation.optimizers import Optimizer

__all__ = [
    "broken_plugin",
    "entry_of",
    "find_optimizer",
    "get_optimizer",
    "installed_in",
    "label_of",
    "list_optimizers",
    "list_plugins",
    "list_problems",
    "optimizer_info",
    "register_optimizer",
    "unregister_optimizer",
]

Class = TypeVar("Class", bound=type)
_plugins = Plugins()


def get_optimizer(name: str) -> type[Optimizer]:
    """Return the class that a name means.

    Names are case-insensitive, `-` is `_`; `distribution/name` chooses where several have registered one.

    Raises:
        UnknownOptimizerError: nothing has registered the name; the nearest names are suggested.
        DuplicateOptimizerError: several plugins have.

    """
    return find_optimizer(name).load()


def list_optimizers(
    pattern: str = "*", *, exclude: Collection[str] = (), tags: Collection[str] = (), origin: str | None = None
) -> list[str]:
    """Return the sorted names of all registered optimizers, installed ones included.

    Each name means one optimizer: what another distribution, or a built-in, has registered as well is listed as
    `distribution/name`. Patterns are of names alone.

    Args:
        pattern: shell wildcards, case-insensitive.
        exclude: patterns of names to leave out; one may be given as a string.
        tags: only those that have all of these tags; one may be given as a string.
        origin: only "builtin", "plugin" or "script".

    """
    _plugins.scan()
    return _plugins.registry.names(pattern, exclude=_several(exclude), tags=_several(tags), origin=origin)


def _several(words: Collection[str]) -> Collection[str]:
    return (words,) if isinstance(words, str) else words


def optimizer_info(name: str) -> OptimizerInfo:
    """Return what is known of an optimizer: defaults, tags, paper, and the distribution, version and file it is from.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `get_optimizer`.

    """
    return find_optimizer(name).info()


def entry_of(cls: type) -> Entry | None:
    """Return what a class is registered as, of what has been loaded already; None if it is not."""
    return _plugins.registry.entry_of(cls)


def find_optimizer(name: str) -> Entry:
    """Return the entry that a name means, without importing its class.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `get_optimizer`.

    """
    return _plugins.find(name)


def label_of(name: str) -> str:
    """Return the one spelling of a name under which `list_optimizers` lists its optimizer."""
    return _plugins.registry.label(find_optimizer(name))


@contextmanager
def installed_in(folders: Sequence[str]) -> Iterator[Plugins]:
    """Have names mean the built-ins and what is installed in these folders, and nothing else, while it lasts."""
    global _plugins  # noqa: PLW0603  # the one registry of the process
    former, _plugins = _plugins, Plugins(folders)
    try:
        yield _plugins
    finally:
        _plugins = former


def broken_plugin(name: str) -> str:
    """Say which broken plugin an unknown name may have been meant to come from; "" if none is installed."""
    return _plugins.broken(name)


def list_problems() -> list[tuple[Problem, str]]:
    """Return the problems of all installed plugins, each with its distribution."""
    return _plugins.problems()


def list_plugins(*, load: bool = False) -> list[PluginInfo]:
    """Return what is installed in the entry-point group `trainstation`, and what came of each.

    With `load` the classes of all optimizers are imported, so that one that cannot be used is "broken".
    """
    return _plugins.infos(load=load)


@overload
def register_optimizer(
    cls: Class,
    *,
    name: str,
    aliases: tuple[str, ...] = (),
    summary: str = "",
    tags: tuple[str, ...] = (),
    defaults: Mapping[str, Any] | None = None,
    search_space: Space | None = None,
) -> Class: ...


@overload
def register_optimizer(
    cls: None = None,
    *,
    name: str,
    aliases: tuple[str, ...] = (),
    summary: str = "",
    tags: tuple[str, ...] = (),
    defaults: Mapping[str, Any] | None = None,
    search_space: Space | None = None,
) -> Callable[[Class], Class]: ...


def register_optimizer(
    cls: Class | None = None,
    *,
    name: str,
    aliases: tuple[str, ...] = (),
    summary: str = "",
    tags: tuple[str, ...] = (),
    defaults: Mapping[str, Any] | None = None,
    search_space: Space | None = None,
) -> Class | Callable[[Class], Class]:
    """Register a class of this script under a name: a call or a class decorator; see `OptimizerSpec`.

    Raises:
        DuplicateOptimizerError: the name is a built-in's, or already registered by a script.
        ValueError: the name has characters that are not allowed.
        TypeError: it is not the class of an optimizer.

    """

    def register(cls: Class) -> Class:
        spec = OptimizerSpec(name, cls, summary, aliases, tags, defaults, search_space=search_space)
        entry = Entry(spec, "__main__", "", "script")
        for each in entry.names:
            if _plugins.registry.find(f"{CORE}/{each}"):
                msg = f"{each!r} is a built-in optimizer; choose another name"
                raise DuplicateOptimizerError(msg)
        entry.load()
        _plugins.registry.add(entry)
        return cls

    return register if cls is None else register(cls)


def unregister_optimizer(name: str) -> None:
    """Take back what a script has registered; UnknownOptimizerError if it has not."""
    _plugins.registry.remove(name)
