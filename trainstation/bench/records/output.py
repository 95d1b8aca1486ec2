"""Where a run's words, rows and pictures go."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from rich.console import Console

from trainstation.bench.records.rows import Row
from trainstation.bench.records.writer import OutputError, Writer

__all__ = ["Output", "console_of", "stem"]

WIDTH = 160  # of tables where there is no terminal to ask


def stem(out: Path, command: str) -> Path:
    """Return where a run's files go; the process tells apart two that start in the same second."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    made = out / f"{command}-{stamp}-{os.getpid()}"
    return made if not made.with_suffix(".jsonl").exists() else made.with_name(f"{made.name}-{uuid4().hex[:4]}")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the caller of the run, instead of a SystemExit, which looks like an optimizer's."""
        raise OutputError from sys.exception()


def console_of(*, stderr: bool = False) -> Console:
    """Return what tables are shown on: as wide as the terminal, or wide enough where there is none."""
    console = _Console(stderr=stderr)
    return console if console.is_terminal else _Console(stderr=stderr, width=WIDTH)


class Output:
    """The files and the console of one run. With `lines` the rows go there too, and all that is for people to stderr.

    Attributes:
        rows: the file of rows.
        picture: the file of the picture.
        console: for people.
        progress: the same, but silent in a quiet run.

    """

    def __init__(self, stem: Path, lines: TextIO | None, *, quiet: bool = False) -> None:
        """Prepare; nothing is written yet. Of words, `quiet` leaves those that were not asked for."""
        self.rows, self.picture = stem.with_suffix(".jsonl"), stem.with_suffix(".png")
        self._lines = lines
        self._writer: Writer | None = None
        self.console = console_of(stderr=lines is not None)
        self.progress = _Console(stderr=lines is not None, width=self.console.width, quiet=quiet)

    @property
    def is_json(self) -> bool:
        """Whether rows go to stdout."""
        return self._lines is not None

    def say(self, text: str) -> None:
        """Show a line, as it is."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def tell(self, text: str) -> None:
        """Show a line that a quiet run does not."""
        self.progress.print(text, highlight=False, markup=False, soft_wrap=True)

    def open(self) -> None:
        """Make the file; OutputError if it cannot be."""
        self._writer = Writer(self.rows, self._emit if self.is_json else None)

    def write(self, row: Row) -> None:
        """Append a row to the file, and hand it on."""
        assert self._writer is not None
        self._writer.write(row)

    def _emit(self, line: str) -> None:
        assert self._lines is not None
        self._lines.write(line + "\n")
        self._lines.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
