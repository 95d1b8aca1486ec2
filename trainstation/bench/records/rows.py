"""Result rows, schema tsb/1: one JSON object a line."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import trainstation as ts
from trainstation.bench import machine
from trainstation.bench.stats import Interval
from trainstation.jsonable import jsonable

__all__ = [
    "SCHEMA",
    "Diagnostic",
    "Env",
    "Path",
    "Point",
    "Row",
    "Run",
    "Speed",
    "Trial",
    "environment",
    "reason_of",
    "to_json",
]

SCHEMA = "tsb/1"


@dataclass(frozen=True)
class Env:
    """Where the rows were measured."""

    env_id: str
    cpu_model: str
    arch: str
    cores: int
    caches: dict[str, int]
    ram_gib: float
    thp: str
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
class Run:
    """The first row of a run, and once more, finished, its last: what was asked for."""

    run: str
    plan: dict[str, Any]
    finished: bool
    schema: str = SCHEMA
    kind: str = "run"


@dataclass(frozen=True)
class Point:
    """One evaluation within a trial. Those of trials of the track "tuning" are not kept."""

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
    `final` are of `metric`, on data that were not trained on; times are of training, without evaluation, in seconds of
    the processor. `track` is default (the registry's hyper-parameters), tuning (point number `trial` of the search
    box), tuned (the best point of the box, with new seeds) or known (the best point that is known, of the packaged
    results or of a small search in the same run, with new seeds). `searched` is from how many trials that best point
    was chosen, where this differs between optimizers: in the track known. `problem_version` and `code_hash` say which
    problem, and which optimizer under which protocol, the row is of. A `target` that is not reached has no steps and no
    seconds.
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
    lower_is_better: bool = False
    trial: int | None = None
    max_steps: int | None = None
    target: float | None = None
    steps_to_target: int | None = None
    secs_to_target: float | None = None
    problem_version: str = ""
    code_hash: str = ""
    searched: int | None = None
    points: list[Point] = field(default_factory=list, repr=False)
    schema: str = SCHEMA
    kind: str = "trial"

    @property
    def optimizer_share(self) -> float | None:
        """The share of a training step that is spent in the optimizer; None if there was no step."""
        return self.optimizer_us / self.step_us if self.optimizer_us is not None and self.step_us else None


@dataclass(frozen=True)
class Diagnostic:
    """How one optimizer fared in one diagnostic.

    `status` is default (passed with the registry's hyper-parameters), tuned (passed with another learning rate of the
    grid that all have), fail or error. `lr` is the rate of `value`, the best that was reached; `limit` is what passes.
    """

    env_id: str
    diagnostic: str
    optimizer: str
    distribution: str
    version: str
    status: str
    reason: str
    lr: float | None
    value: float | None
    limit: float
    code_hash: str = ""
    schema: str = SCHEMA
    kind: str = "diagnostic"


@dataclass(frozen=True)
class Path:
    """Where one optimizer went on a landscape of two dimensions: the start, then `x` and `y` after each step."""

    env_id: str
    landscape: str
    optimizer: str
    lr: float
    x: list[float]
    y: list[float]
    value: float | None
    code_hash: str = ""
    schema: str = SCHEMA
    kind: str = "path"


@dataclass(frozen=True)
class Speed:
    """One contender on one case: how long one call takes.

    `own_threads`: whatever `threads` says, it chooses itself.

    `suite` says what a call is: a step, or a probe of the memory. `status` is done, invalid (timed, but not
    what its mathematics says: `max_err`), error or not_installed (`reason` says why). Samples are nanoseconds a call,
    each the mean of `loops`; `low_ns` and `high_ns` are where the median lies with 95 %. `bytes_min` is what the
    mathematics must move, `gbps` that over the median, `roof_gbps` the best that `roof`, a probe or a peer, moved.
    `speedup` is the quotient of `baseline`'s median and this one's, with its interval: low, mid, high. `others_pct` of
    the processors' time went to other processes and to the host meanwhile.
    """

    run_id: str
    env_id: str
    suite: str
    peer: str
    status: str
    reason: str = ""
    peer_version: str = ""
    distribution: str = ""
    is_peer: bool = False
    hparams: dict[str, Any] = field(default_factory=dict)
    kernel: str = ""
    case: str = ""
    n: int = 0
    tensors: int = 0
    dtype: str = ""
    state_dtype: str = ""
    threads: int = 0
    own_threads: bool = False
    mode: str = ""
    first_ns: float | None = None
    samples_ns: list[float] = field(default_factory=list, repr=False)
    loops: int = 0
    median_ns: float | None = None
    mad_ns: float | None = None
    low_ns: float | None = None
    high_ns: float | None = None
    ns_per_param: float | None = None
    bytes_min: int | None = None
    gbps: float | None = None
    roof: str = ""
    roof_gbps: float | None = None
    roof_pct: float | None = None
    max_err: float | None = None
    baseline: str = ""
    speedup: Interval | None = None
    verdict: str = ""
    others_pct: float | None = None
    warnings: list[str] = field(default_factory=list)
    schema: str = SCHEMA
    kind: str = "speed"


Row = Diagnostic | Env | Path | Point | Run | Speed | Trial


def environment() -> Env:
    """Describe this machine and these libraries."""
    described: dict[str, Any] = {
        "cpu_model": machine.cpu_model(),
        "arch": platform.machine(),
        "cores": machine.cores(),
        "caches": machine.cache_sizes(),
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "thp": machine.huge_pages(),
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


def reason_of(error: BaseException) -> str:
    r"""Write what was raised, notes included, on one line.

    >>> reason_of(ValueError("no such\nthing"))
    'ValueError: no such thing'

    """
    said = [f"{type(error).__name__}: {error}".removesuffix(": "), *getattr(error, "__notes__", ())]
    return "; ".join(" ".join(line.split()) for line in said)


def to_json(row: Row) -> str:
    """Return a row as one line of JSON; what is not finite is null, what JSON does not know its repr."""
    # a trial's points have been rows of their own
    known = {each.name: getattr(row, each.name) for each in fields(row) if each.name != "points"}
    return json.dumps(jsonable({"schema": row.schema, "kind": row.kind, **known}), allow_nan=False)
