"""Rows are written as they come, so that a kill loses none before it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from trainstation.bench.records.rows import Row, to_json

__all__ = ["OutputError", "Writer", "is_written_to"]


class OutputError(BaseException):
    """What is to be kept or shown cannot be written; its cause is an OSError.

    No Exception: it comes up inside of trials, and is no trial's fault.
    """


class Writer:
    """Appends rows to a file, and hands each line on as well; OutputError if it cannot.

    The file is locked, so that no other process takes it for a run that was interrupted.
    """

    def __init__(self, path: Path, also: Callable[[str], None] | None = None) -> None:
        """Make the file and its folder; of a file that is there, drop what a kill has left of a line."""
        self.path = path
        self._also = also
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise OutputError from error
        try:
            _lock(self._file)
            self._drop_torn_line()
        except OSError as error:
            self._file.close()
            raise OutputError from error

    def _drop_torn_line(self) -> None:
        end = self._file.seek(0, os.SEEK_END)
        with self.path.open("rb") as file:
            whole = file.read().rfind(b"\n") + 1
        if whole < end:
            self._file.truncate(whole)

    def write(self, row: Row) -> None:
        """Append one row; it is on its way to the disk when this returns."""
        line = to_json(row)
        try:
            self._file.write(line + "\n")
            self._file.flush()
            if self._also is not None:
                self._also(line)
        except OSError as error:
            raise OutputError from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _lock(file: IO[str]) -> None:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_written_to(path: Path) -> bool:
    """Whether a process has a Writer on this file."""
    try:
        with path.open(encoding="utf-8") as file:
            _lock(file)
    except OSError:
        return True
    return False
