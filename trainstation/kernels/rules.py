"""Compiled rules: those of the core, and those that plugins bring."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainstation.errors import KernelABIError
from trainstation.kernels.native import ffi, lib

__all__ = ["Rule", "find_rule", "load", "rules"]

KINDS = ("exact", "signed", "positive")
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_RULES_OF_A_PLUGIN = 64


@dataclass(frozen=True, slots=True)
class Rule:
    """What C says of a compiled rule.

    Attributes:
        index: its place in C.
        name: of the characters a-z, 0-9 and `_`.
        n_scalars: how many scalars it takes.
        kinds: for each of its states how a narrower format keeps it: exact, signed or positive.

    """

    index: int
    name: str
    n_scalars: int
    kinds: tuple[str, ...]

    def supports(self, fmt: int) -> bool:
        """Whether the rule has a kernel for this format, be it the scalar one."""
        return bool(lib.ts_rule_fn_at(0, self.index, fmt) != ffi.NULL)


def _described(index: int, native: Any) -> Rule:
    kinds = tuple(KINDS[native.kinds >> 2 * k & 3] for k in range(native.n_states))
    return Rule(index, ffi.string(native.name).decode(), native.n_scalars, kinds)


def _core() -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    while (native := lib.ts_rule_at(len(found))) != ffi.NULL:
        rule = _described(len(found), native)
        found[rule.name] = rule
    return found


_rules = _core()
_libraries: dict[str, tuple[Any, tuple[str, ...]]] = {}  # path -> the open library, its rules
_lock = threading.Lock()


def rules() -> dict[str, Rule]:
    """Return the compiled rules by name."""
    return dict(_rules)


def find_rule(name: str | None) -> Rule | None:
    """Return a compiled rule; None if there is none of that name."""
    return None if name is None else _rules.get(name)


def load(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Open a plugin's library and make its rules known; return their names.

    The library exports `const ts_plugin *trainstation_plugin_v1(void)` (trainstation/trainstation.h). Everything is
    checked before any of it is used; the second load of a path does nothing.

    Raises:
        OSError: there is no such library, or the system cannot open it.
        KernelABIError: it was built for other headers, or says of its rules what cannot be.

    """
    import ctypes  # slow to import, and few need it

    where = os.path.realpath(path)
    with _lock:
        if where in _libraries:
            return _libraries[where][1]
        library = ctypes.CDLL(where)
        try:
            entry = library.trainstation_plugin_v1
        except AttributeError:
            msg = f"{where} exports no trainstation_plugin_v1: it is no plugin of this version of trainstation"
            raise KernelABIError(msg) from None
        entry.restype = ctypes.c_void_p
        address = entry()
        plugin = ffi.cast("const ts_plugin *", address or 0)
        found: dict[str, Any] = {}
        fault = _fault(plugin)
        for place in range(0 if fault else plugin.n_rules):
            native = plugin.rules + place
            name = "" if native.name == ffi.NULL else ffi.string(native.name, 65).decode(errors="replace")
            if fault := _fault_of_rule(name, native, found):
                break  # what lies behind it may be no rule at all
            found[name] = native
        first = -1 if fault else lib.ts_rules_add(plugin.rules, plugin.n_rules)
        if first < 0:
            msg = f"{where}: {fault or 'there is no room for its rules; too many are loaded'}"
            raise KernelABIError(msg)
        for index, (name, native) in enumerate(found.items(), first):
            _rules[name] = _described(index, native)
        _libraries[where] = library, tuple(found)
        return _libraries[where][1]


def _fault(plugin: Any) -> str | None:
    """Return what is wrong with what a library says of itself."""
    if plugin == ffi.NULL:
        return "trainstation_plugin_v1 returned nothing"
    if plugin.abi_version != lib.TS_ABI_VERSION:
        return f"built for version {plugin.abi_version} of the kernel ABI; this is {lib.TS_ABI_VERSION}. Rebuild it"
    sizes = (plugin.plugin_size, plugin.rule_size, plugin.slot_size)
    ours = tuple(map(ffi.sizeof, ("ts_plugin", "ts_rule", "ts_slot")))
    if sizes != ours:
        return f"its structures have the sizes {sizes}, ours {ours}. Rebuild it with the installed headers"
    if not 1 <= plugin.n_rules <= MAX_RULES_OF_A_PLUGIN or plugin.rules == ffi.NULL:
        return f"it claims {plugin.n_rules} rules; 1 to {MAX_RULES_OF_A_PLUGIN} are possible"
    return None


def _fault_of_rule(name: str, native: Any, others: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a rule."""
    if not NAME.fullmatch(name):
        return f"a rule is named {name!r}; a name has up to 64 characters a-z, 0-9 and _"
    if name in _rules or name in others:
        return f"there is a rule {name!r} already; prefix yours with the name of your distribution"
    if not 0 <= native.n_states <= lib.TS_MAX_STATES or not 0 <= native.n_scalars <= lib.TS_MAX_SCALARS:
        return f"rule {name!r} claims {native.n_states} states and {native.n_scalars} scalars"
    kinds = native.kinds
    if kinds >> 2 * native.n_states or any(kinds >> 2 * k & 3 >= len(KINDS) for k in range(native.n_states)):
        return f"rule {name!r} claims kinds of states that do not exist: {kinds:#x}"
    if native.fn[0] == ffi.NULL:
        return f"rule {name!r} has no scalar kernels"
    return None
