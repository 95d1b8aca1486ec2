"""The colours and line styles of all pictures."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["COLOURS", "STYLES", "lines", "nth"]

# Okabe and Ito's colours, which the colour-blind can tell apart; line styles go on where they end.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")


def nth(place: int) -> tuple[int, str]:
    """Return the place of the nth line's colour, and its style; the first 28 lines differ."""
    styles, colour = divmod(place, len(COLOURS))
    return colour, STYLES[styles % len(STYLES)]


def lines(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return for each name what matplotlib is to draw its line with."""
    looks = {name: nth(place) for place, name in enumerate(dict.fromkeys(names))}
    return {name: {"color": COLOURS[colour], "linestyle": style} for name, (colour, style) in looks.items()}
