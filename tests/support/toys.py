"""What several tests of the benchmark share: a task of no time, and a plan for it."""

import numpy as np

import trainstation as ts
from trainstation.bench.problems import Problem
from trainstation.bench.protocol.trial import Job, run_trial


class Quadratic:
    """(p - 3)^2 in four elements."""

    def __init__(self, seed):
        self.p = ts.Tensor.randn(4, seed, requires_grad=True)

    def parameters(self):
        return [self.p]

    def epoch(self):
        return iter(range(5))

    def loss(self, batch):
        off = self.p - 3.0
        return (off * off).sum()

    def evaluate(self):
        return float(np.exp(-np.abs(self.p.data - 3.0).max()))


QUADRATIC = Problem("toy", "four elements", "closeness", 5, Quadratic, target=0.9, budget=100)


def trial_of(name, problem=QUADRATIC, **options):
    """Train a toy; the trial's row, and what was noted on the way."""
    points, shares = [], []
    job = Job(problem.name, name, **({"epochs": 2} | options))
    trial = run_trial(
        problem, job, "env", on_point=points.append, progress=lambda done, best: shares.append((done, best))
    )
    return trial, points, shares
