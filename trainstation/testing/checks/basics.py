"""Checks of a run: that it is one, that it can be repeated, in other threads and by the compiled rule too."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from trainstation import kernels
from trainstation.testing.runs import difference, draw, give, moved, run, seeded, snapshot
from trainstation.testing.subject import Subject
from trainstation.testing.verdicts import NotApplicable, fail

__all__ = ["compiled_rule", "deterministic", "steps", "threads"]

THREADS = 8
# A format is a dtype of parameters, and how states are kept.
FORMATS = (("float32", None), ("float64", None), ("float32", "bfloat16"), ("float32", "8bit"))


def steps(subject: Subject) -> str:
    """Check that parameters are linked, counted and moved."""
    if not subject.shapes:
        reason = next(iter(subject.refusals.values()))
        fail(f"no parameter of 0 to 3 dimensions is taken: {reason}", "take parameters of some shape")
    parameters = subject.parameters()
    optimizer = subject.make(list(parameters.values()))
    moving = moved(optimizer, parameters, range(5))
    for number, p in parameters.items():
        if not np.isfinite(p.data).all():
            fail(f"a parameter of shape {p.shape} is not finite after 5 steps", "look for a division by 0 in `update`")
        if number not in moving:
            fail(f"a parameter of shape {p.shape} has not moved in 5 steps", "write in place, as `p -= ...` does")
        count = int(optimizer.state.get(p, {}).get("step", 0))
        if count != 5:  # noqa: PLR2004  # steps
            fail(f"after 5 steps, a parameter's step is {count}", 'leave state["step"] to the base class')
    return ""


def _end(subject: Subject) -> dict[str, Any]:
    parameters = subject.parameters()
    optimizer = subject.make(list(parameters.values()))
    run(optimizer, parameters, range(8))
    return snapshot(optimizer, parameters)


def deterministic(subject: Subject) -> str:
    """Check that a run has the same end twice, whatever global generators say."""
    ends = []
    for seed in (1, 2):
        with seeded(seed):
            ends.append(_end(subject))
    if text := difference(ends[0], ends[1]):
        fail(
            f"two runs from the same values, along the same gradients, differ: {text}",
            "draw random numbers from a generator of the optimizer's own, with a seed and kept in its state; keep "
            "nothing in the class that a run writes to",
        )
    return ""


def threads(subject: Subject) -> str:
    """Check that optimizers in threads of their own do not disturb one another."""
    shapes = [*subject.shapes, subject.shaped(32, 33)]

    def train(thread: int, barrier: threading.Barrier | None) -> dict[str, Any]:
        parameters = draw(shapes, first=100 * thread)
        optimizer = subject.make(list(parameters.values()))
        if barrier is not None:
            barrier.wait(timeout=60)
        run(optimizer, parameters, range(6))
        return snapshot(optimizer, parameters)

    alone = [train(thread, None) for thread in range(THREADS)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            together = list(pool.map(train, range(THREADS), [threading.Barrier(THREADS)] * THREADS))
    finally:
        sys.setswitchinterval(interval)
    if text := difference(together, alone):
        fail(
            f"{THREADS} optimizers in {THREADS} threads end elsewhere than alone: {text}",
            "keep scratch arrays in the instance, or make them in `update`, not in the class or the module",
        )
    return ""


def compiled_rule(subject: Subject) -> str:
    """Check bytes: of the rule on every instruction set and in every format, against those of `update`."""
    optimizer = subject.make()
    rule, _ = optimizer.variant(optimizer.defaults)
    if rule is None:
        msg = "it names no compiled rule"
        raise NotApplicable(msg)
    if kernels.find_rule(rule) is None:
        msg = f"its rule {rule!r} is not compiled in this installation"
        raise NotApplicable(msg)
    absent = []
    for dtype, state_dtype in FORMATS:
        label = state_dtype or dtype
        options = {} if state_dtype is None else {"state_dtype": state_dtype}
        if not subject.takes(**options):
            absent.append(label)
            continue
        expected, _ = _stepped(subject.interpreted(), dtype, options)
        for isa in kernels.isas():
            with kernels.use(isa):
                found, used = _stepped(subject, dtype, options)
            if used == "numpy":
                absent.append(f"{label} on {isa}")
            elif text := difference(found, expected):
                fail(
                    f"the rule {rule!r} on {isa}, in {label}, is not `update`: {text}",
                    "write the same operations in the same order, each rounded by itself, with maximum, minimum, sign "
                    "and flush of trainstation.optimizers.elementwise; name the rule that belongs to this class",
                )
    if len(absent) == len(FORMATS) * len(kernels.isas()):
        fail(f"the rule {rule!r} never runs", "let the order of `states` and their kinds be the C rule's")
    return f"without the rule: {', '.join(absent)}" if absent else ""


def _stepped(subject: Subject, dtype: str, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return all that two groups have come to, and the instruction set; some gradients are no usual numbers."""
    info = np.finfo(dtype)
    unusual = [0.0, -0.0, info.tiny, info.smallest_subnormal, -info.max, np.inf, -np.inf, np.nan]
    parameters = subject.parameters([*subject.shapes, subject.shaped(65, 64)], dtype)
    tensors = list(parameters.values())
    second = {"maximize": True, **subject.decay}
    optimizer = subject.make([{"params": tensors[::2]}, {"params": tensors[1::2], **second}], **options)
    used = set()
    for t in range(6):
        give(parameters, t)
        if t == 3:  # noqa: PLR2004  # when momenta are there
            for parameter in tensors[-2:]:
                flat = parameter.grad.data.reshape(-1)  # type: ignore[union-attr]  # it has just been given
                flat[: len(unusual)] = np.array(unusual, dtype)[: flat.size]
        optimizer.step()
        used.add(optimizer.last_step.isa if optimizer.last_step else "numpy")
    return snapshot(optimizer, parameters), "numpy" if "numpy" in used else used.pop()
