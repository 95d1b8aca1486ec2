"""The trials that are judged: by problem and optimizer, with the seeds in order and what each took to the target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainstation.bench import TRACKS
from trainstation.bench.records.rows import Trial

__all__ = ["Cell", "Cells", "Measure", "Tracks", "cells", "current"]

Array = NDArray[Any]
# Of the way to a target: steps measure the algorithm, seconds of the processor the whole. They are never mixed.
Measure = Literal["steps", "secs"]


@dataclass(frozen=True)
class Cell:
    """The trials of one optimizer on one problem, in one track.

    Attributes:
        problem: its name.
        optimizer: its name.
        trials: the rows, by seed.
        seeds: of the trials, ascending.
        steps: to the target, float64 of the length of `seeds`; inf: a miss, a divergence or an error.
        secs: likewise, in seconds of the processor.
        finals: the last metrics, float64; nan: there is none.

    """

    problem: str
    optimizer: str
    trials: tuple[Trial, ...] = field(repr=False)
    seeds: tuple[int, ...]
    steps: Array
    secs: Array
    finals: Array

    def times(self, measure: Measure) -> Array:
        """Return the steps or the seconds to the target."""
        return self.steps if measure == "steps" else self.secs

    @property
    def searched(self) -> int | None:
        """From how many trials the hyper-parameters are; None: from as many as everybody's of the track."""
        return self.trials[0].searched

    @property
    def reached(self) -> int:
        """How many trials have reached the target."""
        return int(np.isfinite(self.steps).sum())

    @property
    def has_target(self) -> bool:
        """Whether there is a target at all: without, a trial counts for nothing but its final metric."""
        return self.trials[0].target is not None


# By problem and optimizer; and these by track, also where there are none.
Cells = Mapping[tuple[str, str], Cell]
Tracks = Mapping[str, Cells]


def cells(trials: Iterable[Trial]) -> Tracks:
    """Return the current trials by track, then by problem and optimizer, as `current` says which these are."""
    found: dict[str, dict[tuple[str, str], list[Trial]]] = {track: {} for track in (*TRACKS, "tuning")}
    for trial in current(trials):
        found.setdefault(trial.track, {}).setdefault((trial.problem, trial.optimizer), []).append(trial)
    return {
        track: {key: _cell(sorted(some, key=lambda trial: trial.seed)) for key, some in by.items()}
        for track, by in found.items()
    }


def _cell(some: Sequence[Trial]) -> Cell:
    return Cell(
        problem=some[0].problem,
        optimizer=some[0].optimizer,
        trials=tuple(some),
        seeds=tuple(trial.seed for trial in some),
        steps=_times(some, "steps_to_target"),
        secs=_times(some, "secs_to_target"),
        finals=np.array([math.nan if trial.final is None else trial.final for trial in some], float),
    )


def _times(some: Sequence[Trial], name: str) -> Array:
    values = [getattr(trial, name) if trial.status == "done" else None for trial in some]
    return np.array([math.inf if value is None else value for value in values], float)


def current(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that can be compared: the newest settings of each problem, and of each optimizer there.

    What was measured on another machine, with another version of a problem, another target, budget or schedule, or of
    an optimizer that has since changed, is no repetition of what counts now: the last row says what counts. Of the rows
    of a problem those with the most steps count: where there was time for less, or a trial ended by the clock, it gives
    way. Of several rows of the same trial the last.
    """
    rows = list(trials)
    settings = {trial.problem: _setting(trial) for trial in rows}
    rows = [trial for trial in rows if _setting(trial) == settings[trial.problem]]
    longest = {trial.problem: 0 for trial in rows}
    for trial in rows:
        longest[trial.problem] = max(longest[trial.problem], trial.max_steps or 0)
    rows = [trial for trial in rows if (trial.max_steps or 0) == longest[trial.problem]]
    # "warmup" is what a schedule-free optimizer gets, whatever is asked for
    schedules = {trial.problem: trial.schedule for trial in rows if trial.schedule != "warmup"}
    rows = [trial for trial in rows if trial.schedule in ("warmup", schedules.get(trial.problem))]
    codes = {_who(trial): _code(trial) for trial in rows}
    rows = [trial for trial in rows if _code(trial) == codes[_who(trial)]]
    return list({(_who(trial), trial.seed, trial.trial): trial for trial in rows}.values())


def _setting(trial: Trial) -> tuple[Any, ...]:
    return trial.env_id, trial.problem_version, trial.target


def _who(trial: Trial) -> tuple[str, ...]:
    return trial.problem, trial.optimizer, trial.track


def _code(trial: Trial) -> tuple[Any, ...]:
    # the points of a search differ by what is searched
    hparams = None if trial.track == "tuning" else trial.hparams
    return trial.distribution, trial.version, trial.code_hash, trial.schedule, hparams
