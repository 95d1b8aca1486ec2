"""Names of optimizers: what is known about each, and which one a name means. Imports no optimizer by itself."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainstation.errors import DuplicateOptimizerError, UnknownOptimizerError

__all__ = ["Entry", "OptimizerInfo", "OptimizerSpec", "Registry", "normalize"]

NAME = re.compile(r"[a-z0-9_.]+")


def normalize(name: str) -> str:
    """Return the form of a name under which it is kept: lower case, `-` as `_`.

    >>> normalize("AdamW"), normalize("my-adam")
    ('adamw', 'my_adam')

    """
    if not isinstance(name, str):
        msg = f"an optimizer's name is a string, not {type(name).__name__}"
        raise TypeError(msg)
    return name.lower().replace("-", "_")


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

    """

    name: str
    target: str | type
    summary: str = ""
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    defaults: Mapping[str, Any] | None = None
    paper: str = ""

    def __post_init__(self) -> None:
        """Normalise the names; ValueError for one that is not allowed."""
        for name in (self.name, *self.aliases):
            if not NAME.fullmatch(normalize(name)):
                msg = f"{name!r} is not a name for an optimizer: allowed are a-z, 0-9, _ and ."
                raise ValueError(msg)
        object.__setattr__(self, "name", normalize(self.name))
        object.__setattr__(self, "aliases", tuple(map(normalize, self.aliases)))


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


@dataclass(slots=True)
class Entry:
    """A spec with its provenance."""

    spec: OptimizerSpec
    distribution: str
    version: str
    origin: str
    _loaded: type | None = field(default=None, repr=False)

    def load(self) -> type:
        """Import the class, once."""
        if self._loaded is None:
            target = self.spec.target
            if isinstance(target, str):
                module, _, attribute = target.partition(":")
                target = getattr(importlib.import_module(module), attribute)
            if not isinstance(target, type):
                msg = f"the target of {self.spec.name!r} is {target!r}, not a class (from {self.distribution})"
                raise TypeError(msg)
            self._loaded = target
        return self._loaded

    def info(self) -> OptimizerInfo:
        """Import the class and describe it; its defaults are read from the signature."""
        cls, spec = self.load(), self.spec
        signature = inspect.signature(cls)
        defaults = {n: p.default for n, p in signature.parameters.items() if n != "params" and p.default is not p.empty}
        return OptimizerInfo(
            name=spec.name,
            summary=spec.summary or (inspect.getdoc(cls) or "").partition("\n")[0],
            defaults={**defaults, **(spec.defaults or {})},
            aliases=spec.aliases,
            tags=spec.tags,
            paper=spec.paper,
            rule=getattr(cls, "rule", None),
            distribution=self.distribution,
            version=self.version,
            module=cls.__module__,
            file=inspect.getsourcefile(cls) or "",
            origin=self.origin,
        )


class Registry:
    """A table of entries by name. A built-in's plain name always means the built-in."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_name: dict[str, list[Entry]] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(self, entry: Entry) -> None:
        """Enter a spec; DuplicateOptimizerError if its distribution, or a script, has used one of its names before."""
        names = (entry.spec.name, *entry.spec.aliases)
        for name in names:
            for other in self._by_name.get(name, ()):
                if other.distribution == entry.distribution:
                    msg = f"{entry.distribution} registers {name!r} twice"
                    raise DuplicateOptimizerError(msg)
        self._entries.append(entry)
        for name in names:
            self._by_name.setdefault(name, []).append(entry)

    def remove(self, name: str) -> None:
        """Take out what a script has registered under a name; UnknownOptimizerError if it has not."""
        for entry in self._by_name.get(normalize(name), ()):
            if entry.origin == "script":
                self._entries.remove(entry)
                for each in (entry.spec.name, *entry.spec.aliases):
                    self._by_name[each].remove(entry)
                return
        msg = f"no script has registered {name!r}"
        raise UnknownOptimizerError(msg)

    def find(self, name: str) -> Entry | None:
        """Return the entry that a plain or qualified (`distribution/name`) name means; None if there is none.

        Raises:
            DuplicateOptimizerError: several distributions have registered the plain name.

        """
        distribution, _, plain = name.rpartition("/")
        entries = self._by_name.get(normalize(plain), [])
        if distribution:
            wanted = normalize(distribution)
            entries = [entry for entry in entries if normalize(entry.distribution) == wanted]
        builtin = [entry for entry in entries if entry.origin == "builtin"]
        entries = builtin or entries
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
        """Return the sorted names that match; see `trainstation.list_optimizers`."""
        unwanted = [normalize(text) for text in exclude]
        return sorted(
            {
                entry.spec.name
                for entry in self._entries
                if fnmatch.fnmatchcase(entry.spec.name, normalize(pattern))
                and not any(fnmatch.fnmatchcase(entry.spec.name, text) for text in unwanted)
                and set(tags) <= set(entry.spec.tags)
                and origin in (None, entry.origin)
            }
        )

    def unknown(self, name: str) -> UnknownOptimizerError:
        """Return the error for a name that nothing has registered, with the nearest that something has."""
        import difflib  # an error may take its time, the import of trainstation not

        near = difflib.get_close_matches(normalize(name).rpartition("/")[2], self._by_name, n=3)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        msg = f"unknown optimizer {name!r}{hint} (`trainstation list` shows all)"
        return UnknownOptimizerError(msg)
