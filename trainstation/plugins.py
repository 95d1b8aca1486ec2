"""Finds installed optimizers, and survives those that are broken. The only user of importlib.metadata.

Built-ins are registered by import, so their names never need a look at what is installed. The first name that is not
theirs, and any listing, scans the entry points once.
"""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

import pluggy

from trainstation import builtin, hookspecs
from trainstation.errors import DuplicateOptimizerError, PluginWarning
from trainstation.registry import Entry, OptimizerInfo, OptimizerSpec, Registry, normalize, project

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from trainstation.optimizers import Optimizer

__all__ = [
    "broken_plugin",
    "create_optimizer",
    "find_optimizer",
    "get_optimizer",
    "label_of",
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
    """A plugin that could not be used, and why: `error` in a line, `trace` in full."""

    name: str
    distribution: str
    version: str
    error: str
    trace: str

    def __str__(self) -> str:
        return f"the plugin {self.name!r} of {self.distribution} {self.version} is left out: {self.error}"


class Plugins:
    """One registry, and what was found while filling it."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.broken: list[Broken] = []
        self._manager = pluggy.PluginManager("trainstation")
        self._manager.add_hookspecs(hookspecs)
        self._lock = threading.RLock()
        self._scanned = self._scanning = False
        self._register(builtin, "builtin", CORE, "", "builtin")

    def _register(self, plugin: object, name: str, distribution: str, version: str, origin: str) -> None:
        """Register a plugin with pluggy, and enter all that its hook returns; or leave no trace of it."""
        self._manager.register(plugin, name=f"{distribution}:{name}")
        try:
            self.registry.add(*(Entry(spec, distribution, version, origin) for spec in self._specs(plugin)))
        except BaseException:
            self._manager.unregister(plugin)
            raise

    def _specs(self, plugin: object) -> list[OptimizerSpec]:
        """Return what a plugin's hook returns, if it is what it should be."""
        hooks = [hook for hook in self._manager.hook.trainstation_optimizers.get_hookimpls() if hook.plugin is plugin]
        if not hooks:
            msg = f"{plugin!r} has no function trainstation_optimizers that is marked with @trainstation.hookimpl"
            raise TypeError(msg)
        specs: list[OptimizerSpec] = []
        for hook in hooks:
            returned: Any = hook.function()
            for spec in returned if isinstance(returned, Iterable) else [returned]:
                if not isinstance(spec, OptimizerSpec):
                    msg = f"trainstation_optimizers() must return a list of OptimizerSpecs, not {returned!r}"
                    raise TypeError(msg)
                specs.append(spec)
        return specs

    def scan(self) -> None:
        """Load the plugins of all installed distributions, once."""
        if self._scanned:
            return
        with self._lock:
            if self._scanned or self._scanning:  # a plugin that asks while it is being loaded sees what there is
                return
            self._scanning = True
            self.broken.clear()  # of a scan that Ctrl-C has ended
            try:
                for distribution in _installed():
                    self._load_all(distribution)
                self._scanned = True
            finally:
                self._scanning = False
        # All are loaded before the first warning, which may be an error to the caller.
        for broken in self.broken:
            warnings.warn(str(broken), PluginWarning, stacklevel=3)

    def _load_all(self, distribution: Distribution) -> None:
        """Load the plugins of one distribution; what is broken is noted, and left out."""
        try:
            points = [point for point in distribution.entry_points if point.group == GROUP]
        except Exception as error:  # noqa: BLE001  # its metadata may be anything
            self._leave_out("entry_points.txt", distribution, error)
            return
        for point in points:
            if self._manager.has_plugin(f"{distribution.name}:{point.name}"):
                continue
            try:
                self._register(point.load(), point.name, distribution.name, distribution.version, "plugin")
            except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
                self._leave_out(point.name, distribution, error)

    def _leave_out(self, name: str, distribution: Distribution, error: BaseException) -> None:
        line, trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
        self.broken.append(Broken(name, distribution.name, distribution.version, line, trace))

    def find(self, name: str) -> Entry:
        """Return what a name means; UnknownOptimizerError if it means nothing."""
        entry = self.registry.find(name)
        if entry is None or (entry.origin != "builtin" and not self._scanned):
            self.scan()
            entry = self.registry.find(name)
        if entry is None:
            error = self.registry.unknown(name)
            for broken in self.broken:
                error.add_note(f"{broken}\n{broken.trace}")
            raise error
        return entry


def _installed() -> Iterator[Distribution]:
    """Yield each installed distribution but our own once: the one that Python would import."""
    from importlib.metadata import distributions

    seen = {CORE}
    for distribution in distributions():
        try:
            name = project(distribution.name)
        except Exception:  # noqa: BLE001, S112  # the remains of an installation, without METADATA
            continue
        if name not in seen:
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


def find_optimizer(name: str) -> Entry:
    """Return the entry that a name means, without importing its class.

    Raises:
        UnknownOptimizerError, DuplicateOptimizerError: see `get_optimizer`.

    """
    entry = _plugins.find(name)
    if entry.origin == "builtin" and not entry.version:
        entry.version = _core_version()
    return entry


def label_of(name: str) -> str:
    """Return the one spelling of a name under which `list_optimizers` lists its optimizer."""
    return _plugins.registry.label(_plugins.find(name))


def broken_plugin(name: str) -> Broken | None:
    """Return the broken plugin that an unknown name may have been meant to come from, if one is installed."""
    distribution, _, plain = normalize(name).rpartition("/")
    for broken in _plugins.broken:
        known = normalize(broken.distribution)
        if project(distribution) == project(known) if distribution else plain in (normalize(broken.name), known):
            return broken
    return None


@overload
def register_optimizer(
    cls: Class,
    *,
    name: str,
    aliases: tuple[str, ...] = (),
    summary: str = "",
    tags: tuple[str, ...] = (),
    defaults: Mapping[str, Any] | None = None,
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
) -> Callable[[Class], Class]: ...


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
        TypeError: it is not the class of an optimizer.

    """

    def register(cls: Class) -> Class:
        spec = OptimizerSpec(name, cls, summary, aliases, tags, defaults)
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
