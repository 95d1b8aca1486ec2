"""The packaged results: of each optimizer on each problem the best settings known, and how soon its trials got there.

`python -m benchmarks summary` makes the file of the committed rows, so that who has only the package sees them too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from trainstation.bench.palette import is_control
from trainstation.bench.problems.data import DATA
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Trial
from trainstation.bench.stats import median
from trainstation.jsonable import jsonable

__all__ = ["FILE", "Packaged", "Settings", "packaged", "summarized", "text_of"]

FILE = DATA / "reference.json"
TRACK = "tuned"
DIGITS = 3  # of times
OF_OPTIMIZER = ("distribution", "version")
OF_PROBLEM = ("metric", "lower_is_better", "target", "max_steps", "problem_version")
OF_STEP = ("step_us", "optimizer_us", "state_bytes_per_param")
COLUMNS = ("hyper", "searched", "steps", "secs", *OF_STEP)  # of a cell


@dataclass(frozen=True)
class Settings:
    """The best settings known of one optimizer on one problem: hyper-parameters, and from how many trials they are."""

    hyper: dict[str, Any]
    searched: int


class Packaged:
    """What the file holds.

    Attributes:
        cpu_model: of the machine on which the rows were measured.
        measured: when, an ISO date.
        track: of the trials.
        trials: a row of each scored trial, with what is judged; its points and its last metric are not kept.

    """

    track = TRACK

    def __init__(self, found: Mapping[str, Any]) -> None:
        """Take the file's content, as `summarized` returns it."""
        self.cpu_model, self.measured = found["cpu_model"], found["measured"]
        self._from = {name: each["distribution"] for name, each in found["optimizers"].items()}
        self._settings: dict[tuple[str, str], Settings] = {}
        self.trials: list[Trial] = []
        for problem, cells in found["cells"].items():
            for optimizer, values in cells.items():
                cell = dict(zip(COLUMNS, values, strict=True))
                self._settings[problem, optimizer] = Settings(cell["hyper"], cell["searched"])
                of = {"problem": problem, "optimizer": optimizer}
                self.trials += _trials(of | found["problems"][problem] | found["optimizers"][optimizer], cell)

    def __str__(self) -> str:
        """Say where the results are from."""
        return f"Packaged results, measured on {self.cpu_model} ({self.measured})"

    def settings(self, problem: str, optimizer: str, distribution: str) -> Settings | None:
        """Return the best settings known; None of a problem or an optimizer that is not among the results."""
        return self._settings.get((problem, optimizer)) if self._from.get(optimizer) == distribution else None


@cache
def packaged() -> Packaged:
    """Return the packaged results."""
    return Packaged(json.loads(FILE.read_text(encoding="utf-8")))


def summarized(ledger: Ledger, boxes: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return what the file is to hold of rows.

    Args:
        ledger: the committed rows.
        boxes: by optimizer the hyper-parameters that were searched; the others are the registry's.

    """
    scored: dict[tuple[str, str], list[Trial]] = {}
    searched: Counter[tuple[str, str]] = Counter()
    for trial in ledger.trials:
        key = trial.problem, trial.optimizer
        if trial.track == "tuning":
            searched[key] += 1
        elif trial.track == TRACK and not is_control(trial.optimizer):
            scored.setdefault(key, []).append(trial)
    env, firsts = ledger.envs[-1], [some[0] for some in scored.values()]
    cells: dict[str, dict[str, list[Any]]] = {each.problem: {} for each in firsts}
    for (problem, optimizer), some in scored.items():
        cells[problem][optimizer] = list(_cell(some, searched[problem, optimizer], boxes[optimizer]))
    return {
        "cpu_model": env.cpu_model,
        "measured": env.started_at[:10],
        "optimizers": {each.optimizer: {name: getattr(each, name) for name in OF_OPTIMIZER} for each in firsts},
        "problems": {each.problem: {name: getattr(each, name) for name in OF_PROBLEM} for each in firsts},
        "cells": cells,
    }


def _cell(trials: Sequence[Trial], searched: int, box: Collection[str]) -> Iterator[Any]:
    """Yield what stands in the columns of a cell."""
    trials = sorted(trials, key=lambda trial: trial.seed)
    yield {name: trials[0].hparams[name] for name in box}
    yield searched
    yield [trial.steps_to_target for trial in trials]
    yield [_short(trial.secs_to_target) for trial in trials]
    for name in OF_STEP:
        yield _short(median([getattr(trial, name) for trial in trials]))


def _short(value: float | None) -> float | None:
    if value is None:
        return None
    short = float(f"{value:.{DIGITS}g}")
    return int(short) if short.is_integer() else short


def text_of(found: Mapping[str, Any]) -> str:
    """Write what `summarized` has returned, so that a change of a cell is a change of a line."""
    parts = []
    for key, value in found.items():
        rows = value.items() if isinstance(value, Mapping) else ()
        parts.append(f" {_json(key)}: " + (_lines(rows, 2, key == "cells") if rows else _json(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(rows: Iterable[tuple[str, Any]], indent: int, nested: bool) -> str:
    pad = " " * indent
    texts = [
        f"{pad}{_json(key)}: {_lines(value.items(), indent + 1, False) if nested else _json(value)}"
        for key, value in rows
    ]
    return "{\n" + ",\n".join(texts) + f"\n{pad[1:]}}}"


def _json(value: Any) -> str:
    return json.dumps(jsonable(value), separators=(",", ":"), allow_nan=False)


def _trials(of: Mapping[str, Any], cell: Mapping[str, Any]) -> Iterator[Trial]:
    """Yield the rows of a cell; the nth is of the seed n."""
    for seed, (steps, secs) in enumerate(zip(cell["steps"], cell["secs"], strict=True)):
        yield Trial(
            run_id="",
            env_id="",
            **of,
            track=TRACK,
            seed=seed,
            hparams=cell["hyper"],
            schedule="",
            status="done",
            reason="",
            best=None,
            final=None,
            final_loss=None,
            steps=of["max_steps"],
            epochs=0.0,
            secs=0.0,
            **{name: cell[name] for name in OF_STEP},
            steps_to_target=steps,
            secs_to_target=secs,
            searched=cell["searched"],
        )
