"""Figures of matplotlib as elements of a page, small and in its colours and letters, or as files of their own."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import get_named_colors_mapping
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from trainstation.bench.report.axes import columns
from trainstation.bench.report.page.looks import CSS, FAINT, GRID, IN_FILES, INK, ON_PAGE

__all__ = ["Drawing"]

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
NUMBER = re.compile(r"-?\d+\.\d+")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
SPACE = re.compile(r"\s*([MLQCz])\s*", re.IGNORECASE)
FAMILY = re.compile("font-(?!size)")  # text is in the page's letters
SCALE, LETTERS, ROW = 1.3, 13.0, 0.2  # of a file: size, letters of its title in an inch, inches of a legend's row
LEFT, BOTTOM, EDGE = 0.6, 0.46, 0.08  # inches around the axes: those of neighbours are in line


class Drawing(NamedTuple):
    """One figure, which can be an element of the page or a file.

    Attributes:
        ident: begins its ids, of which no two on a page may be the same, and names its file.
        alt: says what it shows.
        draw: is given the axes.
        size: inches.
        names: what stands beside the pointer over the group of a gid. Such a group has the gid as its `data-o`.

    """

    ident: str
    alt: str
    draw: Callable[[Any], None]
    size: tuple[float, float] = (4.4, 2.9)
    names: Mapping[str, str] = {}

    def svg(self) -> Markup:
        """Return it as an element `<svg>`, in the colours and letters of the page."""
        wide, high = self.size
        with _drawing(ON_PAGE):
            figure = Figure(figsize=self.size)
            FigureCanvasSVG(figure)
            figure.subplots_adjust(LEFT / wide, BOTTOM / high, 1 - EDGE / wide, 1 - EDGE / high)
            figure.patch.set_visible(False)
            axes = figure.subplots()
            axes.patch.set_visible(False)
            self.draw(axes)
            written = io.StringIO()
            figure.savefig(written, format="svg", metadata={"Date": None})
        root = ET.fromstring(written.getvalue())  # noqa: S314  # our own figure
        _adopt(root, self.ident, self.names)
        root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": self.alt}
        return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  # a serializer has escaped it

    def save(self, path: Path, title: str) -> None:
        """Write it as a file, SVG or PDF by its suffix, with a title and a legend.

        Raises:
            OSError: the file cannot be written.

        """
        wide, high = self.size
        with _drawing(IN_FILES):
            figure = Figure(figsize=(wide * SCALE, high * SCALE), layout="constrained")
            axes = figure.subplots()
            self.draw(axes)
            axes.set_title(textwrap.fill(title, int(LETTERS * wide)), fontsize="medium", loc="left")
            shown = {str(each.get_gid()): each for each in figure.findobj(_has_name(self.names))}
            if shown:
                labels = [self.names[gid] for gid in shown]
                across = columns(labels, wide * SCALE)
                figure.set_figheight(high * SCALE + -(-len(labels) // across) * ROW)
                figure.legend(
                    [*shown.values()], labels, loc="outside lower center", ncols=across, frameon=False, fontsize="small"
                )
            figure.savefig(path, metadata={"Date" if path.suffix == ".svg" else "CreationDate": None})


def _has_name(names: Mapping[str, str]) -> Callable[[Any], bool]:
    return lambda each: isinstance(each, Line2D | Patch) and each.get_gid() in names


@contextmanager
def _drawing(colours: Mapping[str, str]) -> Iterator[None]:
    """Draw the same for everyone, whatever they have set, with these meanings of the colours' names."""
    known = get_named_colors_mapping()
    for name, colour in colours.items():
        known[name] = colour
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(SETTINGS)
            yield
    finally:
        for name in colours:
            del known[name]


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
        for ink, meant in CSS.items():
            value = value.replace(ink, meant)
        each.set(key, ";".join(":".join(part.split(": ")) for part in value.split("; ") if not FAMILY.match(part)))


def _rounded(found: re.Match[str]) -> str:
    text = f"{float(found[0]):.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
