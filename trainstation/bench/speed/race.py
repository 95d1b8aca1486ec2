"""One run of `trainstation speed`: cases one after the other, and on each all entrants against each other."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainstation.bench import stats
from trainstation.bench.machine import Others, threads
from trainstation.bench.records.output import Output
from trainstation.bench.records.rows import Env, Speed, environment
from trainstation.bench.records.writer import OutputError
from trainstation.bench.speed import display
from trainstation.bench.speed.cases import Case, Shapes, cut
from trainstation.bench.speed.entrants import CHECKED, Parity, admit, bare, draw, link, state_bytes
from trainstation.bench.speed.probe import probes
from trainstation.bench.speed.roof import completed
from trainstation.bench.speed.timing import Contender, Flush, Timing, measure
from trainstation.bench.words import counted
from trainstation.create import Entrant
from trainstation.registry.lookup import find_optimizer

__all__ = ["Race"]

REST = 0.03  # s, before a sample on several threads


@dataclass(slots=True)
class _Lane:
    """A contender on a case: what is known of its row so far, and what is called."""

    row: Speed
    call: Callable[[], object] | None = None  # None: it cannot run
    optimizer: Any = None  # None: a probe
    states: float = 0.0  # numbers for each element

    def fail(self, error: Exception) -> None:
        """Take it out of the race."""
        self.call, self.optimizer = None, None
        self.row = replace(self.row, status="error", reason=f"{type(error).__name__}: {error}")


class Race:
    """Times entrants on cases; keeps a row of each, and of the probes."""

    def __init__(
        self, out: Output, names: Iterable[str], cases: Sequence[Case], *, seconds: float, rounds: int | None = None
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            out: where words and rows go.
            names: who is timed, with options as `NAME:key=value`.
            cases: on what.
            seconds: for all cases together; what one leaves is shared by those to come.
            rounds: samples of each on each case, instead of what fits into the time.

        Raises:
            ValueError: see `admit`.

        """
        self._out, self._cases, self._seconds, self._rounds = out, cases, seconds, rounds
        self._entrants, self._absent = admit(names)
        self._parities: dict[tuple[str, Shapes, int], Parity] = {}
        self._others = Others()
        self._flush = Flush() if any(case.mode == "cold" for case in cases) else None
        self.rows: list[Speed] = []

    def run(self) -> None:
        """Time all cases, then show the tables and draw the picture."""
        out, cases = self._out, self._cases
        env = environment()
        out.open()
        out.say(f"{', '.join(entrant.label for entrant in self._entrants)}; {counted(len(cases), 'case')}")
        out.say(f"{env.cpu_model}, {env.cores} cores, {env.isa} kernels; rows go to {out.rows}")
        for entrant in self._entrants:
            _wake(entrant)
        deadline = time.perf_counter() + self._seconds
        try:
            out.write(env)
            for name, reason in self._absent.items():
                out.say(f"{name}: {reason}")
                self._keep(Speed(out.rows.stem, env.env_id, "step", name, "not_installed", reason))
            for number, case in enumerate(cases):
                begin = time.perf_counter()
                share = max(0.0, deadline - begin) / (len(cases) - number)
                rows = self._time(env, case, begin + share)
                for row in rows:
                    self._keep(row)
                where = f"{case.name}, {display.setting(case.threads, case.mode)}"
                out.say("\n    ".join([f"[{number + 1}/{len(cases)}] {where}", *display.lines(rows)]))
        finally:
            out.close()
        self._finish(env)

    def _keep(self, row: Speed) -> None:
        self.rows.append(row)
        self._out.write(row)

    def _time(self, env: Env, case: Case, deadline: float) -> list[Speed]:
        """Return the rows of one case."""
        gc.collect()  # the arrays of the last one
        base = Speed(
            *(self._out.rows.stem, env.env_id, "step", "", "done"),
            case=case.name,
            n=case.elements,
            tensors=len(case.shapes),
            dtype=case.dtype,
            state_dtype=case.dtype,
            threads=case.threads,
            mode=case.mode,
        )
        rng = np.random.default_rng(0)
        values, gradients = draw(case.shapes, case.dtype, 0.02, rng), draw(case.shapes, case.dtype, 1e-3, rng)
        lanes = [_lane(base, entrant, link(values, gradients)) for entrant in self._entrants]
        with threads(case.threads):  # now that whatever brings a pool of its own is loaded
            for lane, entrant in zip(lanes, self._entrants, strict=True):
                self._check(lane, entrant, case)
            for probe in probes(case, values, gradients):
                row = replace(base, suite="probe", peer=probe.name, n=probe.elements, bytes_min=probe.moved)
                lanes.append(_Lane(row, probe.call))
            contenders = [Contender(lane.row.peer, lane.call, self._flush_for(case)) for lane in lanes if lane.call]
            seconds = max(0.0, deadline - time.perf_counter())
            self._others.share()
            rest = REST if case.threads > 1 else 0.0
            timings = measure(contenders, seconds=seconds, rounds=self._rounds, rest=rest)
            others = 100 * self._others.share()
        return completed([_result(lane, timings.get(lane.row.peer), others) for lane in lanes])

    def _flush_for(self, case: Case) -> Flush | None:
        return self._flush if case.mode == "cold" else None

    def _check(self, lane: _Lane, entrant: Entrant, case: Case) -> None:
        """Compare with float64, if that has not been done on the same tensors."""
        if lane.call is None:
            return
        key = (entrant.label, cut(case.shapes, CHECKED), case.threads)
        try:
            if key not in self._parities:
                self._parities[key] = Parity.of(entrant, case.shapes, case.dtype)
        except Exception as error:  # noqa: BLE001  # a stranger's code may raise anything; the others go on
            lane.fail(error)
            return
        parity = self._parities[key]
        lane.states = parity.states
        lane.row = replace(lane.row, max_err=parity.max_err)
        if parity.wrong:
            lane.row = replace(lane.row, status="invalid", reason=parity.wrong)

    def _finish(self, env: Env) -> None:
        out = self._out
        for title, table in display.tables(self.rows):
            out.say(title)
            out.console.print(table)
        try:
            display.draw(self.rows, env.caches, out.picture)
        except OSError as error:
            raise OutputError from error
        for row in self.rows:
            if row.status in ("error", "invalid"):
                where = f"{row.case}, {display.setting(row.threads, row.mode)}"
                out.say(f"{row.status}: {row.peer} on {where}: {row.reason}")
        if self.has("invalid"):
            out.say("The run is invalid.")
        out.say(f"rows:    {out.rows}\npicture: {out.picture}")

    def has(self, status: str) -> bool:
        """Whether a row ended so."""
        return any(row.status == status for row in self.rows)

    def interrupted(self) -> None:
        """Say what is kept."""
        self._out.say(f"\nInterrupted. {counted(len(self.rows), 'row')} kept in {self._out.rows}")


def _wake(entrant: Entrant) -> None:
    """Take a first step on next to nothing, so that no case pays for what is loaded or compiled with it."""
    array = np.zeros(1, np.float32)
    with suppress(Exception):  # it will be raised again, and reported, where it is timed
        bare(entrant.make(link([array], [array.copy()])))()


def _lane(base: Speed, entrant: Entrant, parameters: Sequence[Any]) -> _Lane:
    """Make an entrant's optimizer over these parameters, as far as that succeeds."""
    entry = find_optimizer(entrant.name)
    lane = _Lane(replace(base, peer=entrant.label, hparams=entrant.options, is_peer=entrant.is_peer))
    lane.row = replace(lane.row, distribution=entry.distribution, peer_version=entry.version)
    try:
        optimizer = entrant.make(parameters)
        lane.call, lane.optimizer = bare(optimizer), optimizer
    except Exception as error:  # noqa: BLE001  # likewise
        lane.fail(error)
        return lane
    version = getattr(optimizer, "version", None)  # of the library, where that is another
    lane.row = replace(
        lane.row,
        peer_version=version() if version else entry.version,
        state_dtype=getattr(optimizer, "state_dtype", None) or base.dtype,
        own_threads=getattr(optimizer, "own_threads", False),
    )
    return lane


def _result(lane: _Lane, timing: Timing | None, others: float) -> Speed:
    """Return the row of a lane, with what was measured."""
    if timing is not None and timing.error is not None:
        lane.fail(timing.error)
    row = lane.row
    if lane.call is None or timing is None:
        return row
    size = row.n * np.dtype(row.dtype).itemsize
    moved = row.bytes_min
    if moved is None:  # p and g are read, p is written, and what is kept is both; a peer does not show us what it keeps
        moved = 3 * size + 2 * (state_bytes(lane.optimizer) or round(lane.states * size))
    last = getattr(lane.optimizer, "last_step", None)  # a peer's is None: it does not step through us
    samples = [round(sample, 1) for sample in timing.samples]
    median = stats.interval(samples)
    return replace(
        row,
        kernel="" if last is None else last.isa,
        first_ns=timing.first,
        samples_ns=samples,
        loops=timing.loops,
        median_ns=median.mid,
        mad_ns=stats.mad(samples),
        low_ns=median.low,
        high_ns=median.high,
        ns_per_param=median.mid / row.n,
        bytes_min=moved,
        gbps=moved / median.mid,
        others_pct=others,
        warnings=stats.doubts(samples, timing.loops, others),
    )
