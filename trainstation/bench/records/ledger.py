"""Rows read back: what the files of a folder hold, the rows of interrupted runs included."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from trainstation.bench.records import rows
from trainstation.bench.stats import Interval
from trainstation.registry.names import current

__all__ = ["Ledger"]

KINDS: dict[str, type[Any]] = {
    "diagnostic": rows.Diagnostic,
    "env": rows.Env,
    "path": rows.Path,
    "point": rows.Point,
    "run": rows.Run,
    "speed": rows.Speed,
    "trial": rows.Trial,
}


@dataclass
class Ledger:
    """All rows of a folder, in the order in which they were written; a trial has its points.

    Points of trials that never ended belong to no trial and are not here.
    """

    envs: list[rows.Env] = field(default_factory=list)
    runs: list[rows.Run] = field(default_factory=list)
    trials: list[rows.Trial] = field(default_factory=list)
    speeds: list[rows.Speed] = field(default_factory=list)
    diagnostics: list[rows.Diagnostic] = field(default_factory=list)
    paths: list[rows.Path] = field(default_factory=list)

    @classmethod
    def read(cls, *files: Path) -> Ledger:
        """Read files of rows, `*.jsonl` or compressed `*.jsonl.xz`; of a folder all of these, by name.

        Raises:
            ValueError: a line in the middle of a file is no row of ours; the last may have been cut off by a kill.
            OSError: a file cannot be read.

        """
        ledger, points = cls(), dict[str, list[rows.Point]]()
        for path in files:
            some = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.xz")]) if path.is_dir() else [path]
            for row in (row for each in some for row in _rows(each)):
                match row:
                    case rows.Env():
                        ledger.envs.append(row)
                    case rows.Run():
                        ledger.runs.append(row)
                    case rows.Point():
                        points.setdefault(row.run_id, []).append(row)
                    case rows.Trial():
                        row.points.extend(points.pop(row.run_id, []))
                        ledger.trials.append(row)
                    case rows.Speed():
                        ledger.speeds.append(row)
                    case rows.Diagnostic():
                        ledger.diagnostics.append(row)
                    case rows.Path():
                        ledger.paths.append(row)
        return ledger


def _rows(path: Path) -> Iterator[rows.Row]:
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.endswith("\n"):  # what a kill has cut off is no line
                yield _row(line, path, number)


def _row(line: str, path: Path, number: int) -> rows.Row:
    try:
        found = json.loads(line)
        kind = KINDS[found["kind"] if found["schema"] == rows.SCHEMA else found["schema"]]
        known = {each.name for each in fields(kind)}
        values = {name: value for name, value in found.items() if name in known}
        if "distribution" in values:  # rows of before say "trainstation" for ours
            values["distribution"] = current(values["distribution"])
        made: rows.Row = kind(**values)
        if isinstance(made, rows.Speed) and made.speedup is not None:
            object.__setattr__(made, "speedup", Interval(*made.speedup))
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path}, line {number} is no row: {type(error).__name__}: {error}"
        raise ValueError(msg) from error
    return made
