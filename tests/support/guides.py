"""What the README and the guides hold: their blocks, their links, their headings."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(path, language):
    """Return the blocks of a language; that of what follows ```` ``` ````, all of it."""
    return [block for kind, block in BLOCK.findall(text_of(path)) if kind == language]


def prose(path):
    """Return the text without its blocks and its pieces of code, which may go on in the next line."""
    return re.sub(r"`(?:[^`\n]|\n(?!\n))+`", "", BLOCK.sub("", text_of(path)))


def links(path):
    """Return where the links and pictures lead that are no addresses on the web."""
    targets = re.findall(r"\]\(([^)\s]*)\)", prose(path))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(path):
    """Return the anchors of the headings, as GitHub makes them."""
    found = []
    for heading in re.findall(r"^#+ +(.*?) *$", BLOCK.sub("", text_of(path)), re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w\- ]", "", shown).replace(" ", "-"))
    return [f"{name}-{found[:i].count(name)}" if name in found[:i] else name for i, name in enumerate(found)]
