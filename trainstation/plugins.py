"""Finds installed optimizers, and survives those that are broken. The only user of importlib.metadata.

Built-ins are registered by import, so their names never need a look at what is installed. The first name that is not
theirs, and any listing, scans the entry points once.
"""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import pluggy

from trainstation import builtin, hookspecs
from trainstation.errors import DuplicateOptimizerError, PluginWarning
from trainstation.registry import Entry, OptimizerInfo, OptimizerSpec, Registry, normalize

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from trainstation.optimizers import Optimizer

__all__ = [
    "broken_plugin",
    "create_optimizer",
    "get_optimizer",
    "list_optimizers",
    "optimizer_info",
    "register_optimizer",
    "unregister_optimizer",
]

GROUP = "trainstation"
CORE = "trainstation"
Class = TypeVar("Class", bound=type)


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin that could not be used, and why."""

    name: str
    distribution: str
    version: str
    error: str


class Plugins:
    """One registry, and what was found while filling it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.broken: list[Broken] = []
        self._manager = pluggy.PluginManager("trainstation")
        self._manager.add_hookspecs(hookspecs)
        self._lock = threading.RLock()
        self._scanned = False
        self._register(builtin, "builtin", CORE, "builtin")

    def _register(self, module: ModuleType, name: str, distribution: str, origin: str, version: str = "") -> None:
        """Register a module with pluggy, and enter what its hook returns."""
        self._manager.register(module, name=f"{distribution}:{name}")
        for implementation in self._manager.hook.trainstation_optimizers.get_hookimpls():
            if implementation.plugin is module:
                for spec in cast("Iterable[object]", implementation.function()):
                    if not isinstance(spec, OptimizerSpec):
                        msg = f"trainstation_optimizers() must return OptimizerSpecs, not {spec!r}"
                        raise TypeError(msg)
                    self.registry.add(Entry(spec, distribution, version, origin))

    def scan(self) -> None:
        """Load the plugins of all installed distributions, once."""
        with self._lock:
            if self._scanned:
                return
            self._scanned = True
            for distribution in _installed():
                for point in distribution.entry_points:
                    if point.group == GROUP and normalize(distribution.name) != CORE:
                        self._load(point, distribution)

    def _load(self, point: Any, distribution: Distribution) -> None:
        try:
            self._register(point.load(), point.name, distribution.name, "plugin", distribution.version)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
            self.broken.append(Broken(point.name, distribution.name, distribution.version, traceback.format_exc()))
            msg = (
                f"the plugin {point.name!r} of {distribution.name} {distribution.version} is left out: "
                f"{type(error).__name__}: {error}"
            )
            warnings.warn(msg, PluginWarning, stacklevel=2)

    def find(self, name: str) -> Entry:
        """Return what a name means; UnknownOptimizerError if it means nothing."""
        entry = self.registry.find(name)
        if entry is None or (entry.origin != "builtin" and not self._scanned):
            self.scan()
            entry = self.registry.find(name)
        if entry is None:
            error = self.registry.unknown(name)
            for broken in self.broken:
                error.add_note(f"{broken.distribution} {broken.version} is installed, but broken: {broken.error}")
            raise error
        return entry


def _installed() -> Iterable[Distribution]:
    """Yield each installed distribution once: the one that Python would import."""
    from importlib.metadata import distributions

    seen: set[str] = set()
    for distribution in distributions():
        name = normalize(distribution.name or "")
        if name and name not in seen:
            seen.add(name)
            yield distribution


_plugins = Plugins()


def _core_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(CORE)
    except PackageNotFoundError:
        return ""


def get_optimizer(name: str) -> type[Optimizer]:
    """Return the class that a name means.

    Names are case-insensitive, `-` is `_`; `distribution/name` chooses where several have registered one.

    Raises:
        UnknownOptimizerError: nothing has registered the name; the nearest names are suggested.
        DuplicateOptimizerError: several plugins have.

    """
    return _plugins.find(name).load()


def create_optimizer(name: str, params: Iterable[Any] | None = None, **hyper: Any) -> Optimizer:
    """Make an optimizer by name: `create_optimizer("adamw", model.parameters(), lr=3e-4)`.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `get_optimizer`.
        TypeError: the optimizer has no such hyper-parameter.

    """
    entry = _plugins.find(name)
    made: Optimizer = entry.load()(params, **{**(entry.spec.defaults or {}), **hyper})
    return made


def list_optimizers(
    pattern: str = "*", *, exclude: Collection[str] = (), tags: Collection[str] = (), origin: str | None = None
) -> list[str]:
    """Return the sorted names of all registered optimizers, installed ones included.

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
    entry = _plugins.find(name)
    if entry.origin == "builtin" and not entry.version:
        entry.version = _core_version()
    return entry.info()


def broken_plugin(name: str) -> Broken | None:
    """Return the installed plugin that a name may have been meant to come from, if it is broken."""
    wanted = {normalize(part) for part in name.split("/")}
    for broken in _plugins.broken:
        if wanted & {normalize(broken.name), normalize(broken.distribution)}:
            return broken
    return None


def register_optimizer(
    cls: Class | None = None,
    *,
    name: str,
    aliases: tuple[str, ...] = (),
    summary: str = "",
    tags: tuple[str, ...] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Class | Callable[[Class], Class]:
    """Register a class of this script under a name: a call or a class decorator.

    Raises:
        DuplicateOptimizerError: the name is a built-in's, or already registered by a script.
        ValueError: the name has characters that are not allowed.

    """

    def register(cls: Class) -> Class:
        spec = OptimizerSpec(name, cls, summary, aliases, tags, defaults)
        for each in (spec.name, *spec.aliases):
            known = _plugins.registry.find(each) if "/" not in each else None
            if known is not None and known.origin == "builtin":
                msg = f"{each!r} is a built-in optimizer; choose another name"
                raise DuplicateOptimizerError(msg)
        _plugins.registry.add(Entry(spec, "__main__", "", "script"))
        return cls

    return register if cls is None else register(cls)


def unregister_optimizer(name: str) -> None:
    """Take back what a script has registered; UnknownOptimizerError if it has not."""
    _plugins.registry.remove(name)
