"""Names of optimizers: what is known about each, and which one a name means. Imports no optimizer by itself."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainstation.errors import DuplicateOptimizerError, UnknownOptimizerError
from trainstation.kernels import find_rule
from trainstation.registry.spaces import Side, Space, around, checked

__all__ = ["CORE", "FORMER", "Entry", "OptimizerInfo", "OptimizerSpec", "Registry", "current", "normalize", "project"]

CORE = "trainstation-optim"  # our own distribution
FORMER = "trainstation"  # what it was called before; on PyPI that is another project

NAME = re.compile(r"[a-z0-9_.]+")
TARGET = re.compile(r"[\w.]+:\w+")
ORIGINS = ("builtin", "plugin", "script")


def normalize(name: str) -> str:
    """Return the form of a name under which it is kept: lower case, `-` as `_`.

    >>> normalize("AdamW"), normalize("my-adam")
    ('adamw', 'my_adam')

    """
    if not isinstance(name, str):
        msg = f"an optimizer's name is a string, not {type(name).__name__}"
        raise TypeError(msg)
    return (name.lower() if name.isascii() else name).replace("-", "_")  # the Kelvin sign in lower case is a plain k


def project(name: str) -> str:
    """Return the form of a distribution's name in which two spellings of one are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def current(distribution: str) -> str:
    """Return the name that a distribution has now: ours had another."""
    return CORE if project(distribution) == FORMER else distribution


def _pattern(pattern: str) -> str:
    """Normalise a pattern of names; within brackets, a `-` stays what it is: a range."""
    return re.sub(r"\[[^]]*\]|-", lambda found: "_" if found[0] == "-" else found[0], pattern.lower())


@dataclass(frozen=True, slots=True)
class OptimizerSpec:
    """What a plugin says of one optimizer.

    Attributes:
        name: of the characters a-z, 0-9, `_` and `.`, after lower-casing and `-` -> `_`.
        target: the class, or "module:Class", imported on use.
        summary: one line for listings.
        aliases: other names for the same optimizer.
        tags: words to filter listings by.
        defaults: hyper-parameters that differ from the class's own.
        paper: where it was published.
        search_space: where hyper-parameters are searched for, on whatever problem: for each `(low, high)`, on a
            logarithmic scale, or a list of choices, the customary one first. By default the learning rate alone,
            from a thirtieth of its default to thirty times as much.

    """

    name: str
    target: str | type
    summary: str = ""
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    defaults: Mapping[str, Any] | None = None
    paper: str = ""
    search_space: Space | None = None

    def __post_init__(self) -> None:
        """Normalise the names, and keep copies.

        Raises:
            ValueError: a name is not allowed, the target cannot be one, or an interval or a list holds nothing.
            TypeError: a field is of another type.

        """
        for several in ("aliases", "tags"):
            if isinstance(getattr(self, several), str):
                msg = f"{several} of {self.name!r}: a tuple of strings is needed, not a string"
                raise TypeError(msg)
        for name in (self.name, *self.aliases):
            if not NAME.fullmatch(normalize(name)):
                msg = f"{name!r} is not a name for an optimizer: allowed are a-z, 0-9, _ and ."
                raise ValueError(msg)
        if not isinstance(self.target, type) and not (isinstance(self.target, str) and TARGET.fullmatch(self.target)):
            msg = f"the target of {self.name!r} is a class or 'module:Class', not {self.target!r}"
            raise ValueError(msg)
        object.__setattr__(self, "name", normalize(self.name))
        others = dict.fromkeys(map(normalize, self.aliases))
        others.pop(self.name, None)
        object.__setattr__(self, "aliases", tuple(others))
        object.__setattr__(self, "tags", tuple(self.tags))
        object.__setattr__(self, "defaults", None if self.defaults is None else dict(self.defaults))
        if self.search_space is not None:
            object.__setattr__(self, "search_space", checked(self.search_space, f"search_space of {self.name!r}"))


@dataclass(frozen=True, slots=True)
class OptimizerInfo:
    """What is known of one registered optimizer, and where it comes from."""

    name: str
    summary: str
    defaults: dict[str, Any]
    aliases: tuple[str, ...]
    tags: tuple[str, ...]
    paper: str
    rule: str | None
    distribution: str
    version: str
    module: str
    file: str
    origin: str  # builtin | plugin | script
    search_space: dict[str, Side]


@dataclass(slots=True, eq=False)
class Entry:
    """A spec with its provenance."""

    spec: OptimizerSpec
    distribution: str
    version: str
    origin: str
    loaded: type | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The name and the aliases."""
        return (self.spec.name, *self.spec.aliases)

    def load(self) -> type:
        """Import the class, once; what is raised names the distribution."""
        if self.loaded is None:
            where = f"while {self.spec.name!r} of {self.distribution} {self.version}".rstrip() + " was imported"
            try:
                self.loaded = self._import()
            except SystemExit as error:
                msg = f"SystemExit({error.code!r}) {where}"
                raise ImportError(msg) from error
            except Exception as error:
                error.add_note(where)
                raise
        return self.loaded

    def _import(self) -> type:
        target = self.spec.target
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = getattr(importlib.import_module(module), attribute)
        if not isinstance(target, type) or not (hasattr(target, "step") and hasattr(target, "zero_grad")):
            msg = f"the target of {self.spec.name!r} is {target!r}, not an optimizer class"
            raise TypeError(msg)
        return target

    def info(self) -> OptimizerInfo:
        """Import the class and describe it; its defaults are read from the signature."""
        cls, spec = self.load(), self.spec
        signature = inspect.signature(cls)
        defaults = {n: p.default for n, p in signature.parameters.items() if n != "params" and p.default is not p.empty}
        defaults |= spec.defaults or {}
        return OptimizerInfo(
            name=spec.name,
            summary=spec.summary or inspect.cleandoc(cls.__doc__ or "").partition("\n")[0],
            defaults=defaults,
            aliases=spec.aliases,
            tags=spec.tags,
            paper=spec.paper,
            rule=rule.name if (rule := find_rule(getattr(cls, "rule", None))) else None,
            distribution=self.distribution,
            version=self.version,
            module=cls.__module__,
            file=_source(cls),
            origin=self.origin,
            search_space=around(defaults.get("lr")) if spec.search_space is None else dict(spec.search_space),
        )


def _source(cls: type) -> str:
    try:
        return inspect.getsourcefile(cls) or ""
    except (OSError, TypeError):  # typed into an interpreter
        return ""


class Registry:
    """A table of entries by name. A built-in's plain name always means the built-in."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_name: dict[str, list[Entry]] = {}
        self._lock = threading.Lock()  # held for dict logic only, never while a stranger's code runs

    def add(self, *entries: Entry) -> None:
        """Enter all of these or, if a distribution or a script uses a name twice, none: DuplicateOptimizerError."""
        with self._lock:
            used: set[tuple[str, str]] = set()
            for entry in entries:
                by = project(entry.distribution)
                for name in entry.names:
                    others = (project(other.distribution) for other in self._by_name.get(name, ()))
                    if (by, name) in used or by in others:
                        who = "a script" if entry.origin == "script" else entry.distribution
                        msg = f"{who} registers {name!r} twice"
                        raise DuplicateOptimizerError(msg)
                    used.add((by, name))
            for entry in entries:
                self._entries.append(entry)
                for name in entry.names:
                    self._by_name[name] = [*self._by_name.get(name, ()), entry]

    def remove(self, name: str) -> None:
        """Take out what a script has registered under a name; UnknownOptimizerError if it has not."""
        with self._lock:
            for entry in self._by_name.get(normalize(name), ()):
                if entry.origin == "script":
                    self._entries.remove(entry)
                    for each in entry.names:
                        self._by_name[each] = [other for other in self._by_name[each] if other is not entry]
                        if not self._by_name[each]:
                            del self._by_name[each]
                    return
        msg = f"no script has registered {name!r}"
        raise UnknownOptimizerError(msg)

    def entry_of(self, cls: type) -> Entry | None:
        """Return the entry that a class was registered or has been imported as; None if there is none."""
        return next((entry for entry in list(self._entries) if cls in (entry.spec.target, entry.loaded)), None)

    def label(self, entry: Entry) -> str:
        """Return the shortest name that means this entry: its own, or `distribution/name` where that means another."""
        name = entry.spec.name
        return name if self.meant(name) == [entry] else f"{entry.distribution}/{name}"

    def meant(self, name: str) -> list[Entry]:
        """Return the entries that a plain name may mean: the built-in alone, if there is one."""
        entries = self._by_name.get(name, [])
        return [entry for entry in entries if entry.origin == "builtin"] or entries

    def find(self, name: str) -> Entry | None:
        """Return the entry that a plain or qualified (`distribution/name`) name means; None if there is none.

        Raises:
            DuplicateOptimizerError: several distributions have registered the plain name.

        """
        distribution, _, plain = normalize(name).rpartition("/")
        if distribution:
            wanted = project(current(distribution))
            entries = [entry for entry in self._by_name.get(plain, ()) if project(entry.distribution) == wanted]
        else:
            entries = self.meant(plain)
        if len(entries) > 1:
            choices = " or ".join(f"{entry.distribution}/{entry.spec.name}" for entry in entries)
            msg = f"{name!r} is registered by several distributions; say which one: {choices}"
            raise DuplicateOptimizerError(msg)
        return entries[0] if entries else None

    def names(
        self,
        pattern: str = "*",
        *,
        exclude: Collection[str] = (),
        tags: Collection[str] = (),
        origin: str | None = None,
    ) -> list[str]:
        """Return the sorted names that match, each the `label` of one entry; see `trainstation.list_optimizers`."""
        if origin not in (None, *ORIGINS):
            msg = f"origin is one of {', '.join(ORIGINS)}, not {origin!r}"
            raise ValueError(msg)
        wanted, unwanted = _pattern(pattern), [_pattern(text) for text in exclude]
        return sorted(
            self.label(entry)
            for entry in list(self._entries)
            if fnmatch.fnmatchcase(entry.spec.name, wanted)
            and not any(fnmatch.fnmatchcase(entry.spec.name, text) for text in unwanted)
            and set(tags) <= set(entry.spec.tags)
            and origin in (None, entry.origin)
        )

    def known(self) -> list[str]:
        """Return all plain names that mean something, aliases too."""
        return list(self._by_name)
