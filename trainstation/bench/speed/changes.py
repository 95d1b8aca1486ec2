"""What has changed between two runs of `trainstation speed`, row by row, and how surely."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainstation.bench import stats
from trainstation.bench.records.rows import SCHEMA

__all__ = ["Change", "changes", "find_rows", "read_rows"]

# What makes two rows those of one thing.
KEY = ("suite", "peer", "case", "dtype", "threads", "mode")


Rows = dict[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """How the median of a contender on a case has changed, in percent, with its 95 % interval."""

    suite: str
    peer: str
    case: str
    dtype: str
    threads: int
    mode: str
    before_ns: float
    after_ns: float
    low_pct: float
    change_pct: float
    high_pct: float

    @property
    def is_noise(self) -> bool:
        """Whether the interval includes no change at all."""
        return self.low_pct <= 0 <= self.high_pct

    def __str__(self) -> str:
        where = f"{self.peer:24} {self.case:10} {self.threads} {self.mode}"
        times = f"{self.before_ns / 1e3:,.4g} -> {self.after_ns / 1e3:,.4g} us"
        interval = f"{self.change_pct:+.1f} % [{self.low_pct:+.1f}, {self.high_pct:+.1f}]"
        return f"{where}  {times:24}  {'no change within noise: ' * self.is_noise}{interval}"


def find_rows(run: str, out: Path) -> Path:
    """Return the file of rows that a path, a run id or a stem in the folder `out` names; FileNotFoundError if none."""
    for path in (Path(run), out / run, out / f"{run}.jsonl"):
        if path.is_file():
            return path
    msg = f"there is no file {run}, and no {run}.jsonl in {out}"
    raise FileNotFoundError(msg)


def read_rows(path: Path) -> Rows:
    """Return the measured rows of a file, by what they are of; ValueError if there are none."""
    rows = {}
    try:
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:  # what a kill has cut off is no line
            row = json.loads(line)
            if (row["schema"], row["kind"]) == (SCHEMA, "speed") and row["samples_ns"]:
                rows[tuple(row[name] for name in KEY)] = row
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is no file of rows: {type(error).__name__}: {error}"
        raise ValueError(msg) from error
    if not rows:
        msg = f"{path} has no rows of trainstation speed"
        raise ValueError(msg)
    return rows


def changes(before: Rows, after: Rows) -> Iterator[Change]:
    """Yield the change of each row that both runs have."""
    for key, row in before.items():
        if key in after:
            quotient = stats.ratio(after[key]["samples_ns"], row["samples_ns"], paired=False)
            low, middle, high = (100 * (each - 1) for each in quotient)
            yield Change(
                **dict(zip(KEY, key, strict=True)),
                before_ns=row["median_ns"],
                after_ns=after[key]["median_ns"],
                low_pct=low,
                change_pct=middle,
                high_pct=high,
            )
