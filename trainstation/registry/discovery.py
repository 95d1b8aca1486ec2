"""Loads installed plugins, and survives those that are broken.

Built-ins are registered by import, so their names never need a look at what is installed. The first name that is not
theirs, and any listing, scans the entry points once.
"""

from __future__ import annotations

import threading
import traceback
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from trainstation.errors import PluginWarning, UnknownOptimizerError
from trainstation.registry import builtin, hookspecs
from trainstation.registry.first_party import unknown
from trainstation.registry.installed import Installed, installed, named_in, search_path
from trainstation.registry.names import CORE, Entry, OptimizerSpec, Registry, normalize, project
from trainstation.registry.problem import Problem
from trainstation.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["PluginInfo", "Plugins"]

GROUP = "trainstation"
Given = TypeVar("Given")
ONLY, NOT = "TRAINSTATION_PLUGINS", "TRAINSTATION_BLOCK"


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One entry point of the group `trainstation`, and what came of it.

    Attributes:
        name: of the entry point.
        distribution: what was installed.
        version: of it.
        state: "ok"; "blocked" by the environment; "broken"; or "conflicting": a name of its means another's optimizer,
            or several, and it is reached as `distribution/name`.
        gives: the names of its optimizers, as they are reached.
        error: why it is not "ok", in a line.

    """

    name: str
    distribution: str
    version: str
    state: str
    gives: tuple[str, ...]
    error: str


@dataclass(slots=True)
class _Found:
    """One entry point, and what came of it."""

    name: str
    distribution: str
    version: str
    entries: tuple[Entry, ...] = ()
    blocked: str = ""
    error: str = ""
    trace: str = ""  # of the error, in full

    def note(self, error: BaseException) -> None:
        """Keep what was raised."""
        self.error, self.trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))

    def __str__(self) -> str:
        return f"the plugin {self.name!r} of {self.distribution} {self.version} is left out: {self.error}"


class Plugins:
    """One registry, and what was found while filling it."""

    def __init__(self, paths: Sequence[str] | None = None) -> None:
        """Register the built-ins; what is installed is looked for in these folders, by default where Python looks."""
        self._paths = paths
        self.registry = Registry()
        self._found: list[_Found] = []
        self._doubts: list[str] = []
        self._manager = pluggy.PluginManager("trainstation")
        self._manager.add_hookspecs(hookspecs)
        self._lock = threading.RLock()
        self._scanned = self._scanning = False
        self._register(builtin, "builtin", CORE, __version__, "builtin")

    def _register(self, plugin: object, name: str, distribution: str, version: str, origin: str) -> tuple[Entry, ...]:
        """Register a plugin with pluggy, and enter all that its hook returns; or leave no trace of it."""
        asked = getattr(plugin, "TRAINSTATION_API", hookspecs.API_VERSION)
        if asked != hookspecs.API_VERSION:
            msg = (
                f"it was written for version {asked!r} of the plugin interface, and this one is {hookspecs.API_VERSION}"
            )
            raise ValueError(msg)
        self._manager.register(plugin, name=f"{distribution}:{name}")
        try:
            unknown = self._unknown_hooks(plugin)
            specs = self._given("trainstation_optimizers", plugin, OptimizerSpec)
            entries = tuple(Entry(spec, distribution, version, origin) for spec in specs)
            self.registry.add(*entries)
        except BaseException:
            self._manager.unregister(plugin)
            raise
        if unknown:
            self._doubts.append(f"the plugin {name!r} of {distribution} {version} has {_there_is_no(unknown)}")
        return entries

    def _unknown_hooks(self, plugin: object) -> list[str]:
        """Return the marked functions of a plugin that are no hooks of ours; TypeError if it has only such."""
        callers = self._manager.get_hookcallers(plugin) or []
        unknown = [caller.name for caller in callers if not caller.has_spec()]
        if len(unknown) == len(callers):
            msg = f"{plugin!r} has no function trainstation_optimizers that is marked with @trainstation.hookimpl"
            raise TypeError(f"{msg}, but {_there_is_no(unknown)}" if unknown else msg)
        return unknown

    def _given(self, hook: str, plugin: object, kind: type[Given]) -> Iterator[Given]:
        """Yield what a plugin's functions of this hook return, one by one, if it is what it should be."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            if implementation.plugin is plugin:
                returned: Any = implementation.function()
                several = isinstance(returned, Iterable) and not isinstance(returned, str)
                for each in returned if several else [returned]:
                    if not isinstance(each, kind):
                        msg = f"{hook}() must return a list of {kind.__name__}s, not {each!r}"
                        raise TypeError(msg)
                    yield each

    def scan(self) -> None:
        """Load the plugins of all installed distributions, once."""
        if self._scanned:
            return
        with self._lock:
            if self._scanned or self._scanning:  # a plugin that asks while it is being loaded sees what there is
                return
            self._scanning = True
            # Of a scan that Ctrl-C has ended, what is registered stays.
            self._found = [found for found in self._found if not (found.error or found.blocked)]
            try:
                self._load_installed()
                self._scanned = True
            finally:
                self._scanning = False
        # All are loaded before the first warning, which may be an error to the caller.
        for doubt in [*(str(found) for found in self._found if found.error), *self._doubts, *self._claims()]:
            warnings.warn(doubt, PluginWarning, stacklevel=3)

    def _load_installed(self) -> None:
        only, blocked = named_in(ONLY), named_in(NOT) or frozenset()
        missing = set(only or ()) | blocked
        for distribution in installed(search_path() if self._paths is None else self._paths):
            name = project(distribution.name)
            missing.discard(name)
            if name in blocked:
                self._load_all(distribution, f"{NOT} names it")
            elif only is not None and name not in only:
                self._load_all(distribution, f"{ONLY} does not name it")
            else:
                self._load_all(distribution, "")
        for name in sorted(missing):
            self._doubts.append(f"{NOT if name in blocked else ONLY} names {name!r}, which is not installed")

    def _load_all(self, distribution: Installed, blocked: str) -> None:
        """Load the plugins of one distribution; what is broken is noted, and left out."""
        try:
            points = distribution.points(GROUP)
        except Exception as error:  # noqa: BLE001  # its metadata may be anything
            self._leave_out("entry_points.txt", distribution, error)
            return
        for point in points:
            if blocked:
                self._found.append(_Found(point.name, distribution.name, distribution.version, blocked=blocked))
            elif not self._manager.has_plugin(f"{distribution.name}:{point.name}"):
                self._load(point, distribution)

    def _load(self, point: EntryPoint, distribution: Installed) -> None:
        found = _Found(point.name, distribution.name, distribution.version)
        try:
            found.entries = self._register(point.load(), point.name, distribution.name, distribution.version, "plugin")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
            self._leave_out(point.name, distribution, error)
        else:
            self._found.append(found)

    def _leave_out(self, name: str, distribution: Installed, error: BaseException) -> None:
        found = _Found(name, distribution.name, distribution.version)
        found.note(error)
        self._found.append(found)

    def _claims(self) -> Iterator[str]:
        """Yield what to say of plugins that have registered a built-in's name."""
        for found in self._found:
            for entry in found.entries:
                for name in entry.names:
                    meant = self.registry.meant(name)
                    if meant and meant[0].origin == "builtin":
                        yield (
                            f"{found.distribution} {found.version} registers {name!r}, which is and stays "
                            f"the built-in; its own is {found.distribution}/{name}"
                        )

    def find(self, name: str) -> Entry:
        """Return what a name means; UnknownOptimizerError if it means nothing."""
        entry = self.registry.find(name)
        if entry is None or (entry.origin != "builtin" and not self._scanned):
            self.scan()
            entry = self.registry.find(name)
        if entry is None:
            left_out = [found.distribution for found in self._found if found.error or found.blocked]
            error = UnknownOptimizerError(unknown(name, self.registry.known(), left_out))
            for found in self._found:
                if found.error:
                    error.add_note(f"{found}\n{found.trace}")
                elif found.blocked and project(found.distribution).endswith(project(name)):
                    error.add_note(f"the plugin {found.name!r} of {found.distribution} is blocked: {found.blocked}")
            raise error
        return entry

    def broken(self, name: str) -> str:
        """Say which broken plugin an unknown name may have been meant to come from; "" if none is installed."""
        distribution, _, plain = normalize(name).rpartition("/")
        for found in self._found:
            known = normalize(found.distribution)
            meant = project(distribution) == project(known) if distribution else plain in (normalize(found.name), known)
            if found.error and meant:
                return str(found)
        return ""

    def infos(self, *, load: bool = False) -> list[PluginInfo]:
        """Return what is known of all installed plugins, in the order of their distributions.

        With `load` the classes of all their optimizers are imported: one that cannot be used is known only then.
        """
        self.scan()
        infos = []
        for found in sorted(self._found, key=lambda found: (project(found.distribution), found.name)):
            gives = tuple(sorted(map(self.registry.label, found.entries)))
            others = sorted(
                {name for entry in found.entries for name in entry.names if self.registry.meant(name) != [entry]}
            )
            error = found.error or (_unusable(found) if load else "")
            state = "broken" if error else "blocked" if found.blocked else "conflicting" if others else "ok"
            error = error or found.blocked
            if others and not error:
                error = "; ".join(f"{name!r} is also of {self._others(name, found)}" for name in others)
            infos.append(PluginInfo(found.name, found.distribution, found.version, state, gives, error))
        return infos

    def problems(self) -> list[tuple[Problem, str]]:
        """Return the problems of all plugins, each with its distribution; anything else is noted and left out."""
        self.scan()
        problems = []
        for found in sorted(self._found, key=lambda found: project(found.distribution)):
            plugin = self._manager.get_plugin(f"{found.distribution}:{found.name}")
            try:
                given = list(self._given("trainstation_problems", plugin, Problem))
                problems += [(problem, found.distribution) for problem in given]
            except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
                found.note(error)
                warnings.warn(str(found), PluginWarning, stacklevel=3)
        return problems

    def _others(self, name: str, found: _Found) -> str:
        entries = self.registry.meant(name)
        return " and ".join(sorted({each.distribution for each in entries if each not in found.entries}))


def _unusable(found: _Found) -> str:
    """Import the classes of a plugin, and say which one cannot be used; "" if all can."""
    for entry in found.entries:
        try:
            entry.load()
        except Exception as error:  # noqa: BLE001  # a stranger's code may raise anything
            return f"{entry.spec.name!r} cannot be used: {type(error).__name__}: {error}"
    return ""


def _there_is_no(unknown: Collection[str]) -> str:
    """Say that these are no hooks, and which one may have been meant."""
    import difflib  # an error may take its time, the import of trainstation not

    known = [name for name in vars(hookspecs) if name.startswith("trainstation_")]
    words = []
    for name in unknown:
        near = difflib.get_close_matches(name, known, n=1)
        words.append(f"the unknown hook {name!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
    return ", ".join(words)
