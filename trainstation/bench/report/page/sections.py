"""The parts of the page: each section is made from rows, or says which command makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trainstation.bench.report.page.drawing import Drawing
from trainstation.bench.report.page.tables import Table

__all__ = ["Download", "Missing", "Panel", "Part", "Section", "absent"]


class Panel(NamedTuple):
    """One figure, and the words above it."""

    title: str
    note: str
    drawing: Drawing


class Missing(NamedTuple):
    """What stands where there are no rows."""

    text: str
    command: str


class Download(NamedTuple):
    """A file within the page."""

    name: str
    uri: str
    text: str


class Part(NamedTuple):
    """What stands below one heading: sentences, then figures, then tables."""

    title: str = ""
    points: Sequence[str] = ()
    panels: Sequence[Panel] = ()
    tables: Sequence[Table] = ()
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """One section: paragraphs, then facts, then its parts."""

    ident: str
    title: str
    texts: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    parts: Sequence[Part] = ()
    missing: Missing | None = None
    download: Download | None = None


def absent(ident: str, title: str, what: str, command: str) -> Section:
    """Return the section of which there are no rows."""
    return Section(ident, title, missing=Missing(f"There are no {what} among the rows. This makes some:", command))
