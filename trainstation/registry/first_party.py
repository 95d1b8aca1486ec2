"""Which of our own distributions brings an optimizer, for those who ask for one that is not here.

The table, first_party.json, is written by `python -m benchmarks names`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from trainstation.registry.names import normalize, project

__all__ = ["TABLE", "brings", "unknown"]

TABLE = Path(__file__).with_name("first_party.json")
SURE = 0.85  # so near that it is meant, though another is here: "adamaxx" means adamax, and "adma" adam


def _names() -> dict[str, str]:
    """Return the distribution of each name."""
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    return {name: distribution for distribution, names in table.items() for name in names}


def brings(name: str) -> str:
    """Return which of our plugins brings an optimizer of this name; "" if none does."""
    return _names().get(normalize(name), "")


def unknown(name: str, known: Sequence[str], left_out: Collection[str]) -> str:
    """Say that a name means nothing, which names are near it, and which of our distributions would bring it.

    Args:
        name: what was asked for.
        known: the names that mean something here.
        left_out: distributions that are here, but not loaded: to install them would change nothing.

    """
    import difflib  # an error may take its time, the import of trainstation not

    absent = {
        each: distribution
        for each, distribution in _names().items()
        if each not in known and distribution not in map(project, left_out)
    }
    asked, _, plain = normalize(name).rpartition("/")
    if plain in absent and project(asked) in ("", absent[plain]):
        return f"unknown optimizer {name!r}: {absent[plain]} brings it; {_installation([absent[plain]])}"
    near = difflib.get_close_matches(plain, known)
    if not near or difflib.get_close_matches(plain, absent, cutoff=SURE):
        near = difflib.get_close_matches(plain, [*known, *absent])
    words = [f"{each!r} of {absent[each]}" if each in absent else repr(each) for each in near]
    hint = f"; did you mean {' or '.join(words)}?" if near else ""
    needed = sorted({absent[each] for each in near if each in absent})
    return f"unknown optimizer {name!r}{hint} ({_installation(needed) if needed else '`trainstation list` shows all'})"


def _installation(distributions: Collection[str]) -> str:
    folders = " ".join(f"./plugins/{distribution}" for distribution in distributions)
    return f"in a clone of trainstation: pip install {folders}"
