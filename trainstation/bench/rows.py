"""Result rows, schema tsb/1: one JSON object a line, written as they come, so that a kill loses none before it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import trainstation as ts
from trainstation.jsonable import jsonable

__all__ = ["SCHEMA", "Env", "OutputError", "Point", "Trial", "Writer", "environment", "to_json"]

SCHEMA = "tsb/1"


@dataclass(frozen=True)
class Env:
    """Where the rows were measured."""

    env_id: str
    cpu_model: str
    arch: str
    cores: int
    ram_gib: float
    system: str
    python: str
    numpy: str
    blas: list[dict[str, Any]]
    trainstation: str
    isa: str
    threads: int
    started_at: str
    schema: str = SCHEMA
    kind: str = "env"


@dataclass(frozen=True)
class Point:
    """One evaluation within a trial."""

    run_id: str
    problem: str
    optimizer: str
    seed: int
    step: int
    secs: float
    train_loss: float | None
    val_metric: float
    lr: float
    schema: str = SCHEMA
    kind: str = "point"


@dataclass(frozen=True)
class Trial:
    """One training run, finished.

    `status` is done, diverged (the loss or a parameter became non-finite) or error (`reason` says which). `best` and
    `final` are of `metric`, on data that were not trained on; times are of training, without evaluation.
    """

    run_id: str
    env_id: str
    problem: str
    optimizer: str
    distribution: str
    version: str
    track: str
    seed: int
    hparams: dict[str, Any]
    schedule: str
    status: str
    reason: str
    metric: str
    best: float | None
    final: float | None
    final_loss: float | None
    steps: int
    epochs: float
    secs: float
    step_us: float | None
    optimizer_us: float | None
    state_bytes_per_param: float | None
    points: list[Point] = field(default_factory=list, repr=False)
    schema: str = SCHEMA
    kind: str = "trial"


def _cpu_model() -> str:
    """Return what the system calls its processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment() -> Env:
    """Describe this machine and these libraries."""
    described: dict[str, Any] = {
        "cpu_model": _cpu_model(),
        "arch": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "blas": [
            {key: info.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
            for info in threadpool_info()
        ],
        "trainstation": ts.__version__,
        "isa": ts.kernels.isa(),
        "threads": ts.get_num_threads(),
    }
    env_id = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    return Env(env_id=env_id, started_at=datetime.now(UTC).isoformat(timespec="seconds"), **described)


def to_json(row: Env | Point | Trial) -> str:
    """Return a row as one line of JSON; what is not finite is null, what JSON does not know its repr."""
    # a trial's points have been rows of their own
    known = {each.name: getattr(row, each.name) for each in fields(row) if each.name != "points"}
    return json.dumps(jsonable({"schema": row.schema, "kind": row.kind, **known}), allow_nan=False)


class OutputError(BaseException):
    """What is to be kept or shown cannot be written; its cause is an OSError.

    No Exception: it comes up inside of trials, and is no trial's fault.
    """


class Writer:
    """Appends rows to a file, and hands each line on as well; OutputError if it cannot."""

    def __init__(self, path: Path, also: Callable[[str], None] | None = None) -> None:
        """Make the file and its folder."""
        self.path = path
        self._also = also
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError from error

    def write(self, row: Env | Point | Trial) -> None:
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
