"""What need not be run again: trials whose rows are there, of the same problem, code, settings and machine."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from trainstation.bench.problems import Problem
from trainstation.bench.protocol.provenance import code_hash
from trainstation.bench.protocol.trial import Job, lost_trial
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Trial
from trainstation.bench.records.writer import is_written_to
from trainstation.jsonable import jsonable
from trainstation.registry.lookup import find_optimizer

__all__ = ["Begun", "Kept", "known_rows", "unfinished"]

# What makes two trials the same, beside their hyper-parameters.
SAME = attrgetter(
    *("env_id", "problem", "problem_version", "target", "optimizer", "distribution", "version", "code_hash"),
    *("track", "seed", "trial", "schedule", "max_steps"),
)


class Kept:
    """Finished trials, by what makes two of them the same. Those that failed are run again."""

    def __init__(self, trials: Iterable[Trial], env_id: str) -> None:
        """Take the trials; those of another environment than this one are not found."""
        self._env_id = env_id
        self._trials = {_key(trial): trial for trial in trials if trial.status != "error"}

    def find(self, job: Job, problem: Problem) -> Trial | None:
        """Return the trial that this job would repeat."""
        try:
            entry = find_optimizer(job.optimizer)
            trial = replace(
                lost_trial(problem, job, self._env_id, ""),  # its row, but for what training adds
                hparams={**entry.info().defaults, **job.hyper},
                code_hash=code_hash(entry.load()),
            )
        except Exception:  # noqa: BLE001  # a stranger may raise anything; the trial will say what
            return None
        return self._trials.get(_key(trial))


def _key(trial: Trial) -> tuple[Any, ...]:
    """Return what a trial is found by; its hyper-parameters as their row has them."""
    return (*SAME(trial), json.dumps(jsonable(trial.hparams), sort_keys=True))


class Begun(NamedTuple):
    """A run that was interrupted: the stem of its files, and its rows."""

    stem: Path
    ledger: Ledger


def unfinished(out: Path, plan: Mapping[str, Any]) -> Begun | None:
    """Return the newest run of this plan in a folder, if it has not ended and no process is at it."""
    asked = json.loads(json.dumps(jsonable(plan)))
    for path in sorted(out.glob("bench-*.jsonl"), reverse=True):
        try:
            ledger = Ledger.read(path)
        except (OSError, ValueError):
            continue  # no file of ours
        if ledger.runs and ledger.runs[0].plan == asked:
            return None if ledger.runs[-1].finished or is_written_to(path) else Begun(path.with_suffix(""), ledger)
    return None


def known_rows(out: Path) -> Ledger:
    """Return all rows of a folder that can be read; of a file that cannot, a warning."""
    found = Ledger()
    for path in sorted([*out.glob("*.jsonl"), *out.glob("*.jsonl.xz")]):
        try:
            ledger = Ledger.read(path)
        except (OSError, ValueError) as error:
            warnings.warn(f"{error}; its rows are not used", stacklevel=2)
        else:
            found.trials += ledger.trials
            found.diagnostics += ledger.diagnostics
    return found
