"""What need not be run again: trials whose rows are there, of the same problem, code, settings and machine."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from trainstation.bench.problems import Problem
from trainstation.bench.protocol.provenance import code_hash, problem_version
from trainstation.bench.protocol.rates import schedule_of
from trainstation.bench.protocol.trial import Job
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Trial
from trainstation.bench.records.writer import is_written_to
from trainstation.jsonable import jsonable
from trainstation.registry.lookup import find_optimizer, label_of

__all__ = ["Begun", "Kept", "known_rows", "unfinished"]

Key = tuple[Any, ...]


class Kept:
    """Finished trials, by what makes two of them the same. Those that failed are run again."""

    def __init__(self, trials: Iterable[Trial], env_id: str) -> None:
        """Take the trials of this environment."""
        self._trials = {_key(trial): trial for trial in trials if trial.env_id == env_id and trial.status != "error"}

    def find(self, job: Job, problem: Problem) -> Trial | None:
        """Return the trial that this job would repeat."""
        try:
            entry = find_optimizer(job.optimizer)
            hparams, code = {**entry.info().defaults, **job.hyper}, code_hash(entry.load())
        except Exception:  # noqa: BLE001  # a stranger may raise anything; the trial will say what
            return None
        limit = job.steps or (job.epochs or 0) * problem.steps_per_epoch
        return self._trials.get(
            (
                problem.name,
                problem_version(problem),
                problem.target,
                label_of(job.optimizer),
                entry.distribution,
                entry.version,
                code,
                job.track,
                job.seed,
                job.trial,
                schedule_of(entry, job.schedule),
                limit or None,
                _text(hparams),
            )
        )


def _key(trial: Trial) -> Key:
    return (
        trial.problem,
        trial.problem_version,
        trial.target,
        trial.optimizer,
        trial.distribution,
        trial.version,
        trial.code_hash,
        trial.track,
        trial.seed,
        trial.trial,
        trial.schedule,
        trial.max_steps,
        _text(trial.hparams),
    )


def _text(hparams: Mapping[str, Any]) -> str:
    """Write hyper-parameters as their row has them."""
    return json.dumps(jsonable(hparams), sort_keys=True)


class Begun(NamedTuple):
    """A run that was interrupted: the stem of its files, and its rows."""

    stem: Path
    ledger: Ledger


def unfinished(out: Path, plan: Mapping[str, Any]) -> Begun | None:
    """Return the newest run of this plan in a folder, if it has not ended and nobody is at it."""
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
