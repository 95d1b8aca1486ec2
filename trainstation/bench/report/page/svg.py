"""Figures of matplotlib as elements of a page: small, the same at every run, in the page's colours and letters."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from trainstation.bench.report.page.looks import FAINT, GRID, INK, INKS
from trainstation.bench.words import short

__all__ = ["drawn", "log_axis", "ticks"]

SETTINGS: Any = {
    "text.parse_math": False,  # a name may hold a dollar
    "svg.fonttype": "none",
    "svg.hashsalt": "trainstation",
    "font.size": 10,
    "path.simplify_threshold": 0.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
}
NAMES = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
GEOMETRY = {"d", "points", "x", "y", "width", "height"}
NARROW = 30  # times from end to end, within which decades alone are too few
NUMBER = re.compile(r"-?\d+\.\d+")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
SPACE = re.compile(r"\s*([MLQCz])\s*", re.IGNORECASE)
FAMILY = re.compile("font-(?!size)")  # text is in the page's letters
LEFT, BOTTOM, EDGE = 0.6, 0.46, 0.08  # inches around the axes: those of neighbours are in line


def drawn(
    ident: str,
    alt: str,
    draw: Callable[[Any], None],
    *,
    size: tuple[float, float] = (4.4, 2.9),
    names: Mapping[str, str] | None = None,
) -> Markup:
    """Draw one figure; return its `<svg>`.

    Args:
        ident: begins its ids, of which no two on a page may be the same.
        alt: says what it shows.
        draw: is given the axes.
        size: inches.
        names: what stands beside the pointer over the group of a gid. Such a group has the gid as its `data-o`.

    """
    wide, high = size
    with mpl.rc_context():
        mpl.rcdefaults()  # the page is the same for everyone
        mpl.rcParams.update(SETTINGS)
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        figure.subplots_adjust(LEFT / wide, BOTTOM / high, 1 - EDGE / wide, 1 - EDGE / high)
        figure.patch.set_visible(False)
        axes = figure.subplots()
        axes.patch.set_visible(False)
        draw(axes)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    root = ET.fromstring(written.getvalue())  # noqa: S314  # our own figure
    _adopt(root, ident, names or {})
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": alt}
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  # a serializer has escaped it


def _adopt(root: ET.Element, ident: str, names: Mapping[str, str]) -> None:
    """Make a figure's element one of many on a page: nothing in it may touch another."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (NAMES + "metadata", NAMES + "style"):
                parent.remove(child)
    text = ET.tostring(root, encoding="unicode")
    used = {*REFERENCE.findall(text), *(link[1:] for each in root.iter() if (link := each.get(LINK)))}
    for each in list(root.iter()):
        each.tag = each.tag.removeprefix(NAMES)
        each.text, each.tail = (each.text if each.tag == "text" else None), None
        name = each.attrib.pop("id", "")
        _simplify(each, ident)
        if name in names:
            each.set("data-o", name)
            title = ET.Element("title")
            title.text = names[name]
            each.insert(0, title)
        elif name in used:
            each.set("id", f"{ident}-{name}")


def _simplify(each: ET.Element, ident: str) -> None:
    """Write an element's attributes in few letters, with its references to this figure, in the page's colours."""
    if LINK in each.attrib:
        each.set("href", f"#{ident}-{each.attrib.pop(LINK)[1:]}")
    if each.get("transform", "").startswith("rotate(-0 "):
        del each.attrib["transform"]
    for key in GEOMETRY.intersection(each.keys()):
        each.set(key, SPACE.sub(r"\1", NUMBER.sub(_rounded, each.attrib[key])))
    for key in {"clip-path", "style"}.intersection(each.keys()):
        value = REFERENCE.sub(rf"url(#{ident}-\1)", each.attrib[key])
        for ink, meant in INKS.items():
            value = value.replace(ink, meant)
        each.set(key, ";".join(":".join(part.split(": ")) for part in value.split("; ") if not FAMILY.match(part)))


def _rounded(found: re.Match[str]) -> str:
    text = f"{float(found[0]):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def ticks() -> FuncFormatter:
    """Return what writes the numbers of an axis."""
    return FuncFormatter(lambda value, _: short(value))


def log_axis(axis: Any) -> None:
    """Make an axis logarithmic, with a few plain numbers; what it is to show is drawn by now."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < NARROW * low else (1,), numticks=6))
    axis.set_major_formatter(ticks())
    axis.set_minor_formatter(NullFormatter())
