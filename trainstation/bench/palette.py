"""How optimizers look: a name has the same colour, line and mark in every picture and on every page.

It depends on the name alone, never on who else is there: pictures can be laid side by side.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

__all__ = ["COLOURS", "MARKS", "OTHER_STYLES", "STYLES", "Look", "is_control", "lines", "look_of"]

Style = str | tuple[int, tuple[float, ...]]

# Okabe and Ito's colours, which the colour-blind can tell apart, and a grey for controls.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A8A")
GREY = len(COLOURS) - 1
STYLES: tuple[Style, ...] = ("-", "--", ":", "-.")
OTHER_STYLES: tuple[Style, ...] = ((0, (9, 2)), (0, (5, 1, 1, 1, 1, 1)))  # of names that are not below
MARKS = ("o", "s", "D", "^", "v", "P", "X", "<", ">")
# Who is often drawn together differs in colour: the first seven, then the next. A new one is put at the end.
OURS = (
    *("adam", "adamw", "sgd", "rmsprop", "lion", "soap", "muon"),
    *("nadam", "radam", "cautious_adamw", "adabelief", "adamax", "adafactor", "schedulefree_adamw"),
    *("adagrad", "adadelta", "schedulefree_sgd", "lookahead", "lamb", "lars", "prodigy"),
    *("ademamix", "adopt", "asgd", "clion", "rprop"),
)
FAMILIES = {"torch": 6, "deepspeed": 5, "optax": 4, "numpy": 3}  # peers, named FAMILY.NAME: a colour each


class Look(NamedTuple):
    """How a name is drawn.

    Attributes:
        place: of its colour.
        style: of its line, as matplotlib calls it.
        mark: of its points, likewise.

    """

    place: int
    style: Style
    mark: str

    @property
    def line(self) -> dict[str, Any]:
        """Return what matplotlib is to draw a line with."""
        return {"color": COLOURS[self.place], "linestyle": self.style}


def is_control(optimizer: str) -> bool:
    """Whether an optimizer is wrong on purpose, to see that it is ranked last: such names begin with `control_`."""
    return optimizer.startswith("control_")


def look_of(name: str) -> Look:
    """Return the look of an optimizer, or of one with options, NAME:key=value, in its colour.

    >>> look_of("adam"), look_of("adam").place == look_of("adam:state_dtype=8bit").place
    (Look(place=0, style='-', mark='o'), True)

    """
    plain, _, options = name.partition(":")
    known = OURS.index(plain) if plain in OURS else None
    if known is not None and not options:
        return _nth(known)
    by_chance = crc32(name.encode())
    mark = MARKS[by_chance // 64 % len(MARKS)]
    family = FAMILIES.get(plain.partition(".")[0] if "." in plain else "")
    if known is not None or family is not None:
        place = known % GREY if known is not None else family or 0
        return Look(place, STYLES[1 + by_chance % (len(STYLES) - 1)], mark)
    place = GREY if is_control(plain) else by_chance % GREY
    return Look(place, OTHER_STYLES[by_chance // 8 % len(OTHER_STYLES)], mark)


def _nth(place: int) -> Look:
    style, colour = divmod(place, GREY)
    return Look(colour, STYLES[style], MARKS[(place + style) % len(MARKS)])


def lines(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return for each name what matplotlib is to draw its line with."""
    return {name: look_of(name).line for name in names}
