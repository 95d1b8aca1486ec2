import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fakes
import pytest

from trainstation.bench.problems import find_problems
from trainstation.bench.protocol.trial import Job
from trainstation.bench.session.workers import run_jobs

DEADLY = """
import os
import trainstation as ts
from trainstation.bench.problems import MnistMLP, Problem

class Dies(MnistMLP):
    def loss(self, batch):
        os.kill(os.getpid(), 9)

@ts.hookimpl
def trainstation_problems():
    return [Problem("deadly", "a crash", "accuracy", 63, Dies)]
"""


class Silent:
    """Shows nothing; counts."""

    def __init__(self):
        self.begun = []

    def begin(self, slot, job):
        self.begun.append((slot, job))

    def progress(self, slot, done, best):
        assert 0 <= slot < 2
        assert done > 0


def without_times(trial, points):
    rows = [dict(vars(trial)), *(dict(vars(point)) for point in points)]
    for row in rows:
        for name in ("run_id", "secs", "step_us", "optimizer_us", "secs_to_target", "points"):
            row.pop(name, None)
    return rows


def test_side_by_side_gives_what_one_after_the_other_gives():
    names = ["quadratic", "softmax_digits", "mnist5k_mlp"]
    problems = find_problems()
    jobs = [
        Job(name, optimizer, seed=seed, steps=60) for name in names for optimizer in ("adam", "sgd") for seed in (0, 1)
    ]
    both = []
    for processes in (1, 2):
        watcher = Silent()
        found = {
            job: without_times(trial, points)
            for job, trial, points in run_jobs_hashable(jobs, problems, processes, watcher)
        }
        assert sorted(id(job) for _, job in watcher.begun) == sorted(map(id, jobs))
        assert {slot for slot, _ in watcher.begun} == set(range(processes))
        both.append(found)
    assert len(both[0]) == len(jobs)
    for number in range(len(jobs)):
        for alone, beside in zip(both[0][number], both[1][number], strict=True):
            assert alone == beside


def run_jobs_hashable(jobs, problems, processes, watcher):
    for job, trial, points in run_jobs(jobs, problems, "env", processes, watcher):
        yield jobs.index(job), trial, points


def test_a_process_that_dies_costs_its_trial_alone(tmp_path, monkeypatch):
    fakes.distribution(tmp_path, "zoo", module="zoo_deadly", code=DEADLY)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    code = """
        from trainstation.bench.problems import find_problems
        from trainstation.bench.protocol.trial import Job
        from trainstation.bench.session.workers import run_jobs

        class Silent:
            def begin(self, slot, job): pass
            def progress(self, slot, done, best): pass

        if __name__ == "__main__":
            jobs = [Job(name, "sgd", steps=3) for name in ("deadly", "quadratic", "deadly", "quadratic")]
            for job, trial, _ in run_jobs(jobs, find_problems(), "env", 2, Silent()):
                print(job.problem, trial.status, trial.reason)
    """
    said = fakes.python(tmp_path, code).stdout.splitlines()
    assert sorted(said) == ["deadly error its process died: SIGKILL"] * 2 + ["quadratic done "] * 2


def test_no_process_outlives_a_killed_run(tmp_path):
    run = subprocess.Popen(
        [sys.executable, "-m", "trainstation", "bench", "sgd", "adam", "--epochs", "500", "--jobs", "2", "-q"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    children = []
    while len(children) < 2:
        assert run.poll() is None
        time.sleep(0.05)
        children = [pid for pid in descendants(run.pid) if "spawn_main" in command_of(pid)]
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 30
    while any("spawn_main" in command_of(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def descendants(pid):
    return [int(word) for path in Path(f"/proc/{pid}/task").glob("*/children") for word in path.read_text().split()]


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize("processes", [1, 2])
def test_an_unknown_optimizer_is_a_failed_trial(processes):
    [(_, trial, points)] = run_jobs(
        [Job("quadratic", "sgd", hyper={"nonsense": 1}, steps=3)], find_problems(), "env", processes, Silent()
    )
    assert (trial.status, points) == ("error", [])
    assert "nonsense" in trial.reason
