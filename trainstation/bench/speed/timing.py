"""The one timing engine: calls take turns, in random order, each sample long enough to be believed."""

from __future__ import annotations

import gc
import math
import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from time import perf_counter_ns, sleep

import numpy as np

from trainstation.bench.machine import last_level_bytes

__all__ = ["Contender", "Flush", "Timing", "measure"]

ENOUGH = 1_000_000  # ns: a shorter sample is mostly the clock's and the scheduler's
PATIENCE = 20_000_000  # ns for a sample, with what is not timed in it, before it may stay shorter
LONG = 20_000_000  # ns: a call that leaves nothing in any cache of what it began with
FEWEST, MOST = 5, 100  # rounds
FLUSHED = 128 * 2**20  # bytes, at least


@dataclass(frozen=True, slots=True)
class Contender:
    """A call to time; `prepare`, if given, is called before each, and is not timed."""

    name: str
    call: Callable[[], object]
    prepare: Callable[[], object] | None = None


@dataclass(slots=True)
class Timing:
    """What was measured of a contender, in nanoseconds a call.

    Attributes:
        first: of the very first call, which may compile.
        loops: how many calls a sample is the mean of.
        samples: one of each round.
        error: what the first calls raised; there are no samples then.

    """

    first: float = 0.0
    loops: int = 1
    samples: list[float] = field(default_factory=list)
    error: Exception | None = None


def measure(
    contenders: Sequence[Contender],
    *,
    seconds: float = 0.0,
    rounds: int | None = None,
    rest: float = 0.0,
    seed: int = 0,
) -> dict[str, Timing]:
    """Time contenders against each other, and return what was measured by their names.

    In each round all of them take one sample, in an order drawn anew, so that whatever else the machine does happens to
    all. A sample is of as many calls as fill a millisecond. One more, which is not timed, goes before: it brings back
    into the caches what the others have driven out. With `prepare` there is none; each call is timed by itself.
    The garbage collector is off.

    Args:
        contenders: one whose first calls raise an error takes no part.
        seconds: as long rounds begin; but at least `FEWEST` and at most `MOST` of them.
        rounds: exactly so many instead.
        rest: seconds of sleep before each sample, and half as many of calls that are not timed. The threads of one
            contender may spin for some milliseconds after its calls (OpenMP's do), and would take a processor from the
            next one's, whose own may need as long until the system has given each a processor.
        seed: of the order.

    """
    deadline = perf_counter_ns() + seconds * 1e9
    order = random.Random(seed)  # noqa: S311  # not for secrets
    runners = [_Runner(contender, rest) for contender in contenders]
    collecting = gc.isenabled()
    gc.disable()
    try:
        for runner in runners:
            runner.calibrate()
        running = [runner for runner in runners if runner.timing.error is None]
        done = 0
        while done != rounds and (
            rounds is not None or done < FEWEST or (done < MOST and perf_counter_ns() < deadline)
        ):
            order.shuffle(running)
            for runner in running:
                runner.timing.samples.append(runner.sample() / runner.timing.loops)
            done += 1
    finally:
        if collecting:
            gc.enable()
    return {runner.contender.name: runner.timing for runner in runners}


class _Runner:
    """Takes samples of one contender."""

    def __init__(self, contender: Contender, rest: float) -> None:
        self.contender = contender
        self._rest = rest
        self.timing = Timing()
        self._long = False

    def calibrate(self) -> None:
        """Make the first calls, and find how many a sample needs."""
        timing = self.timing
        try:
            timing.first = self._spend(1)
            self._long = self._spend(1) >= LONG
            while not self._long:
                begin = perf_counter_ns()
                spent = self.sample()
                elapsed = perf_counter_ns() - begin
                if spent >= ENOUGH or 2 * elapsed >= PATIENCE:
                    return
                enough, most = 1.5 * ENOUGH / max(spent, 1), PATIENCE / max(elapsed, 1)
                timing.loops = math.ceil(timing.loops * max(2.0, min(enough, most)))
        except Exception as error:  # noqa: BLE001  # a stranger's code may raise anything; the others go on
            timing.error = error

    def sample(self) -> int:
        """Return how many nanoseconds the calls of one sample took."""
        if self._rest:
            sleep(self._rest)
            end = perf_counter_ns() + self._rest * 5e8
            while perf_counter_ns() < end:
                self._spend(1)
        if self.contender.prepare is None and not self._long:
            self.contender.call()
        return self._spend(self.timing.loops)

    def _spend(self, loops: int) -> int:
        call, prepare = self.contender.call, self.contender.prepare
        if prepare is None:
            begin = perf_counter_ns()
            for _ in repeat(None, loops):
                call()
            return perf_counter_ns() - begin
        spent = 0
        for _ in repeat(None, loops):
            prepare()
            begin = perf_counter_ns()
            call()
            spent += perf_counter_ns() - begin
        return spent


class Flush:
    """Empties the caches of all cores: a call writes four times what the last level holds.

    Each core writes its share, for what lies in its own caches only it can drive out.
    """

    def __init__(self) -> None:
        """Make the buffers and a thread on each core."""
        cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
        share = max(FLUSHED, 4 * last_level_bytes()) // len(cpus)
        self._buffers = [np.zeros(share, np.uint8) for _ in cpus]
        self._threads = [ThreadPoolExecutor(1, initializer=_pin, initargs=(cpu,)) for cpu in cpus]

    def __call__(self) -> None:
        """Write to all buffers."""
        begun = [
            thread.submit(np.add, buffer, 1, out=buffer)
            for thread, buffer in zip(self._threads, self._buffers, strict=True)
        ]
        for each in begun:
            each.result()


def _pin(cpu: int) -> None:
    """Keep this thread on one processor, where the system has a call for it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})
