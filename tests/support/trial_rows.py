"""Rows of trials for the tests of what is judged, as a run writes them."""

import math

from trainstation.bench.records.rows import Trial

TARGET = 0.9


def trial(problem, optimizer, seed, steps, *, track="default", secs=None, **options):
    """Return a trial that reached its target after so many steps; inf: that missed it."""
    reached = math.isfinite(steps)
    known = {
        "run_id": "",
        "env_id": "here",
        "distribution": "trainstation-optim",
        "version": "1",
        "hparams": {"lr": 0.1},
        "schedule": "cosine",
        "status": "done",
        "reason": "",
        "metric": "accuracy",
        "best": TARGET,
        "final": TARGET if reached else TARGET / 2,
        "final_loss": 0.1,
        "steps": 100,
        "epochs": 10.0,
        "secs": 1.0,
        "step_us": 20.0,
        "optimizer_us": 5.0,
        "state_bytes_per_param": 8.0,
        "max_steps": 100,
        "target": TARGET,
        "steps_to_target": int(steps) if reached else None,
        "secs_to_target": (steps / 100 if secs is None else secs) if reached else None,
    }
    return Trial(problem=problem, optimizer=optimizer, seed=seed, track=track, **(known | options))


def trials(table, *, first=0, **options):
    """Return the trials of {problem: {optimizer: [steps of each seed]}}; seeds count from `first`."""
    return [
        trial(problem, optimizer, seed, steps, **options)
        for problem, row in table.items()
        for optimizer, times in row.items()
        for seed, steps in enumerate(times, first)
    ]
