"""How `torch` measures: the optimizer's step by itself, and in the training of models; first, whether all agree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.torch.entrants import KINDS, Tensors, set_threads, why_not_compiled
from benchmarks.torch.models import Model, Trainer
from benchmarks.torch.report import Row, targets_met
from trainstation.bench import stats
from trainstation.bench.speed.cases import Case
from trainstation.bench.speed.timing import Contender, Timing, measure

STEP_SECONDS, TRAIN_SECONDS = 5.0, 15.0  # for each table row of steps, for each model
REST = 0.03  # OpenMP's threads spin after torch's calls
CHECKED, CLOSE = 20, 1e-4  # training steps over which the losses must agree, relatively
# While steps are timed. A model that has learnt its batch has gradients that are subnormal, which slow libraries down
# by different factors; so it does not learn.
STILL = 1e-9


@dataclass(frozen=True, slots=True)
class Plan:
    """What is the same for all cases; `absent` says who takes part in none, and why."""

    rule: str
    absent: Mapping[str, str]
    compile_seconds: float
    hurry: float
    say: Callable[[str], None]

    def absent_in(self, shapes: Any, threads: int) -> dict[str, str]:
        """Return who takes no part with parameters of these shapes, and why."""
        reasons = dict(self.absent)
        if "compiled" not in reasons:
            reason = why_not_compiled(self.rule, shapes, threads, self.compile_seconds)
            if reason:
                self.say(f"  {reason}")
                reasons["compiled"] = reason
        return reasons


def _made(plan: Plan, absent: dict[str, str], make: Callable[[str], Any]) -> dict[str, Any]:
    """Return what is made of each kind; who cannot be made is absent."""
    made = {}
    for kind in KINDS:
        if kind in absent:
            continue
        try:
            made[kind] = make(kind)
        except Exception as error:
            if kind != "deepspeed":  # which compiles its C++ when it is first made
                raise
            absent[kind] = str(error).strip().splitlines()[-1]
            plan.say(f"  {kind}: {absent[kind]}")
    return made


def _rows(
    timings: Mapping[str, Timing],
    absent: Mapping[str, str],
    row: Callable[..., Row],
    more: Callable[[str, stats.Interval], dict[str, Any]] = lambda _, __: {},
) -> Iterator[Row]:
    """Yield a row for each optimizer, ours first."""
    ours = timings["ours"]
    if ours.error:
        raise ours.error
    made = row(optimizer="ours")
    for kind, timing in timings.items():
        if timing.error:
            yield row(optimizer=kind, absent=str(timing.error))
            continue
        us = stats.Interval(*(each / 1e3 for each in stats.interval(timing.samples)))
        speed = None if kind == "ours" else stats.ratio(timing.samples, ours.samples)
        targets = targets_met(made.part, made.rule, made.case, kind, speed) if speed else None
        yield row(optimizer=kind, us=us, speed=speed, targets=targets, **more(kind, us))
    for kind, reason in absent.items():
        yield row(optimizer=kind, absent=reason)


def steps(plan: Plan, case: Case) -> Iterator[list[Row]]:
    """Time the step by itself, after a check that all step alike, with kept gradients and with new ones."""
    set_threads(case.threads)
    absent = plan.absent_in(case.shapes, case.threads)
    torch.compiler.reset()
    made = _made(plan, absent, lambda kind: Tensors(kind, plan.rule, case.shapes))
    for tensors in made.values():
        for _ in range(3):
            tensors.step()
    for kind, tensors in made.items():
        for one, other in zip(tensors.parameters, made["default"].parameters, strict=True):
            torch.testing.assert_close(one, other, msg=lambda said, kind=kind: f"{case.name}, {kind}: {said}")
    for gradients in ("kept", "new"):
        contenders = [
            Contender(kind, tensors.step, tensors.renew if gradients == "new" else None)
            for kind, tensors in made.items()
        ]
        timings = measure(contenders, seconds=STEP_SECONDS / plan.hurry, rest=REST * (case.threads > 1))
        yield list(_rows(timings, absent, partial(Row, "step", plan.rule, case.name, case.threads, gradients)))


def trains(plan: Plan, model: Model, threads: int) -> list[Row]:
    """Time a whole training step, after a check that all train alike."""
    set_threads(threads)
    shapes = tuple(tuple(each.shape) for each in model.net().parameters())
    absent = plan.absent_in(shapes, threads)
    torch.compiler.reset()
    checked = _made(plan, absent, lambda kind: Trainer(model, kind, plan.rule, model.rates[plan.rule]))
    said, wrong = alike(model.name, checked)
    plan.say(f"  {said}")
    absent = {**absent, **wrong}
    del checked
    torch.compiler.reset()
    made = _made(plan, absent, lambda kind: Trainer(model, kind, plan.rule, STILL))
    contenders = [Contender(kind, trainer.train) for kind, trainer in made.items()]
    timings = measure(contenders, seconds=TRAIN_SECONDS / plan.hurry, rest=REST * (threads > 1))

    def optimizers_part(kind: str, us: stats.Interval) -> dict[str, float]:
        spent = float(np.median(made[kind].took)) / 1e3
        return {"optimizer_us": spent, "at_most": us.mid / (us.mid - spent)}

    return list(_rows(timings, absent, partial(Row, "train", plan.rule, model.name, threads, "new"), optimizers_part))


def alike(name: str, trainers: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Train some steps with each; return by how much the losses differ, and why a peer is left out, if they do.

    The program ends if ours are other than torch's.
    """
    losses: dict[str, list[float]] = {kind: [] for kind in trainers}
    for seed in range(CHECKED):
        for kind, trainer in trainers.items():
            trainer.take(seed)
            losses[kind].append(trainer.train().item())
    first = np.array(losses["default"])
    apart = {kind: float(np.abs(np.array(each) / first - 1).max()) for kind, each in losses.items()}
    wrong = {
        kind: f"its losses of {CHECKED} steps of {name} differ from torch's by {each:.1e}"
        for kind, each in apart.items()
        if not each <= CLOSE
    }
    if "ours" in wrong:
        sys.exit(f"{name}: ours: {wrong['ours']}: {losses}")
    worst = max(apart.keys() - wrong.keys(), key=apart.__getitem__)
    return f"losses of {CHECKED} steps within {apart[worst]:.0e} ({worst}); {first[0]:.4f} -> {first[-1]:.4f}", wrong
