"""How optimizers look on the page, and what the colours of its figures mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from trainstation.bench.palette import COLOURS, OTHER_STYLES, STYLES, look_of
from trainstation.bench.palette import Look as Drawn

__all__ = ["CSS", "DARK", "FAINT", "GRID", "INK", "IN_FILES", "LIGHT", "ON_PAGE", "Look", "looks_of"]

LIGHT = COLOURS
# The same hues, as far above a dark ground as the others are below a light one.
DARK = ("#4BA3E3", "#F2783C", "#2FC49A", "#E3A0C8", "#F0B63A", "#9AD4F7", "#F2F2F2", "#8F8F8F")
DASHES = dict(
    zip((*STYLES, *OTHER_STYLES), ("", "6 2.5", "1.6 2.2", "7 2 1.6 2", "12 3", "7 1.5 1.5 1.5 1.5 1.5"), strict=True)
)
# Marks as paths around the middle of the legend's small picture.
PATHS = {
    "o": "m17 3a3 3 0 1 0 .01 0z",
    "s": "m14 3h6v6h-6z",
    "D": "m17 2l4 4-4 4-4-4z",
    "^": "m17 2l4 7h-8z",
    "v": "m17 10l4-7h-8z",
    "P": "m16 2h2v3h3v2h-3v3h-2v-3h-3v-2h3z",
    "X": "m14 2l3 3 3-3 1 1-3 3 3 3-1 1-3-3-3 3-1-1 3-3-3-3z",
    "<": "m13 6l7-4v8z",
    ">": "m21 6l-7-4v8z",
}

# Names of colours for matplotlib, which mean something else on a page and in a file of its own.
INK, GRID, FAINT = "report:ink", "report:grid", "report:faint"
SERIES = tuple(f"report:{place}" for place in range(len(COLOURS)))
IN_FILES = {INK: "#1b1f24", GRID: "#e3e7eb", FAINT: "#8b949e", **dict(zip(SERIES, LIGHT, strict=True))}
# On a page, colours that stand for those of its style sheet, which differ in light and dark.
ON_PAGE = {name: f"#0101{place:02x}" for place, name in enumerate(IN_FILES)}
CSS = dict(
    zip(
        ON_PAGE.values(),
        ("currentColor", "var(--grid)", "var(--faint)", *(f"var(--c{place})" for place in range(len(COLOURS)))),
        strict=True,
    )
)


class Look(NamedTuple):
    """How one optimizer is drawn on the page.

    Attributes:
        key: names it in ids and selectors, whatever characters its name has.
        drawn: its colour, line and mark.

    """

    key: str
    drawn: Drawn

    @property
    def line(self) -> dict[str, Any]:
        """Return what a line of a figure needs."""
        return {"color": SERIES[self.drawn.place], "linestyle": self.drawn.style, "gid": self.key}

    @property
    def mark(self) -> str:
        """Return its mark as matplotlib calls it."""
        return self.drawn.mark

    @property
    def dash(self) -> str:
        """Return the line's style as SVG writes it."""
        return DASHES[self.drawn.style]

    @property
    def path(self) -> str:
        """Return its mark as SVG writes it, in a picture of 34 by 12."""
        return PATHS[self.drawn.mark]

    @property
    def colour(self) -> str:
        """Return its colour as the page writes it."""
        return CSS[ON_PAGE[SERIES[self.drawn.place]]]


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for each name."""
    return {name: Look(f"o{place}", look_of(name)) for place, name in enumerate(dict.fromkeys(names))}
