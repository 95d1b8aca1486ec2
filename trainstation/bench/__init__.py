"""Fair benchmarks of whatever is registered. Needs the extra `bench`; `trainstation bench` is the door."""

import shlex
from pathlib import Path

__all__ = ["OUT", "TRACKS", "command_line"]

TRACKS = ("tuned", "known", "default")  # of trials that are judged, the headline first
OUT = "trainstation-bench"  # the folder of all files, unless another is named


def command_line(*words: str, out: Path | None = None) -> str:
    """Write a command as a shell takes it, with its folder, if there is one that is not the default.

    >>> command_line("report", out=Path("a b"))
    "trainstation report --out 'a b'"

    """
    folder = [] if out is None or out == Path(OUT) else ["--out", str(out)]
    return shlex.join(["trainstation", *words, *folder])
