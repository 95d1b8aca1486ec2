"""Rows of all kinds for tests of the report: small real trials, and what takes longer to measure by hand."""

from dataclasses import replace

import numpy as np
from toys import QUADRATIC, trial_of

from trainstation.bench.protocol.landscapes import LANDSCAPES, walk
from trainstation.bench.protocol.search import box_of, points
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Diagnostic, Run, Speed, environment
from trainstation.bench.stats import Interval
from trainstation.registry.lookup import find_optimizer

NAMES = ("adam", "adamw", "sgd", "rmsprop")
HOSTILE = """"'></td></svg></title><script>alert(1)</script><img src=x onerror="alert(2)">&amp;"""


class Off(QUADRATIC.start):
    def evaluate(self):
        return float(np.square(self.p.data - 3.0).sum())


PROBLEMS = (QUADRATIC, replace(QUADRATIC, name="off", metric="loss", start=Off, lower_is_better=True, target=30.0))


def every_kind():
    """A ledger with every section's rows: four optimizers, two problems, both tracks, three seeds, four points each."""
    env = environment()
    made = Ledger(envs=[env])
    plan = {"problems": [problem.name for problem in PROBLEMS], "names": list(NAMES)}
    made.runs = [Run("bench-1", plan, finished=True)]
    for problem in PROBLEMS:
        for name in NAMES:
            jobs = [{"seed": seed} for seed in range(3)]
            box = points(box_of(find_optimizer(name)), 4)
            jobs += [{"track": "tuning", "seed": 1000, "trial": n, "hyper": hyper} for n, hyper in enumerate(box)]
            jobs += [{"track": "tuned", "seed": seed, "hyper": box[3]} for seed in range(3)]
            for job in jobs:
                trial, noted, _ = trial_of(name, problem, epochs=None, steps=50, schedule="cosine", **job)
                assert trial.points == noted
                made.trials.append(replace(trial, env_id=env.env_id))
    failed = {"status": "error", "reason": "ValueError: no", "final": None, "steps_to_target": None}
    made.trials.append(replace(made.trials[-1], seed=3, run_id="failed", points=[], **failed))
    made.diagnostics = [
        Diagnostic(env.env_id, "saddle", name, "trainstation-optim", "1", status, "", 0.01, 0.1, 0.2)
        for name, status in zip(NAMES, ("default", "tuned", "fail", "error"), strict=True)
    ]
    made.paths = [walk(name, LANDSCAPES["rosenbrock"], env.env_id) for name in ("adam", "sgd")]
    made.speeds = [
        _speed(name, n, tensors) for n, tensors in ((1024, 1), (65536, 1), (1000, 10)) for name in ("adam", "peer")
    ]
    return made


def _speed(name, n, tensors):
    return Speed(
        *("run", "env", "step", name, "done"),
        case=f"{tensors}x{n}",
        is_peer=name == "peer",
        n=n,
        tensors=tensors,
        dtype="float32",
        threads=1,
        mode="warm",
        samples_ns=[n * 0.5] * 5,
        median_ns=n * 0.5,
        ns_per_param=0.5,
        bytes_min=28 * n,
        gbps=56.0,
        roof="probe",
        roof_gbps=80.0,
        roof_pct=70.0,
        baseline="peer",
        speedup=Interval(0.9, 1.0, 1.1),
        verdict="tie",
        others_pct=0.5,
    )
