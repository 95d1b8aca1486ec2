"""Who is good at what, and at what cost: performance profiles, scores, and the standings of a track."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.bench.palette import is_control
from trainstation.bench.stats import Interval, median
from trainstation.bench.verdicts.cells import Cell, Cells, Measure, Tracks
from trainstation.bench.verdicts.claims import Claim, evenly_searched, matched, paired, searched

__all__ = ["REFERENCE", "TAU", "Standing", "Standings", "heat", "profiles", "scores", "standings"]

Array = NDArray[Any]

TAU = 4.0  # times slower than the best; beyond that a problem counts as not solved
REFERENCE = "adamw"


@dataclass(frozen=True)
class Standing:
    """One optimizer in one track.

    Attributes:
        optimizer: its name.
        distribution: what it comes from.
        version: of the distribution.
        n: trials on problems that have a target; they are the pairs of which `solved` is the share.
        problems: that it was trained on.
        of_problems: that some optimizer was trained on in this track.
        targets: of problems that have one.
        reached: of these, how many at least half of the trials reach.
        solved: share of the trials that have reached the target; None of none.
        score_steps: area under the performance profile, as `scores` says; None: no problem has a target.
        score_secs: likewise.
        reference: what it is compared with, and in which track: "adamw, tuned"; "": the rows have none.
        pairs: trials that have the reference's seed.
        speedup_steps: how many times faster to the target than the reference; None: too few pairs, or no reference.
        p_steps: that there is no difference.
        verdict_steps: as `Claim` says; "reference" of itself; "" without one.
        speedup_secs: likewise, of the processor's seconds.
        p_secs: likewise.
        verdict_secs: likewise.
        optimizer_share: of a training step's time, median over the trials.
        optimizer_us: microseconds of a step within the optimizer, likewise.
        state_bytes_per_param: likewise.
        failures: why trials have diverged or ended in an error, each reason once.
        searched: trials from which its hyper-parameters were chosen, on the problems that it was compared on; None: as
            many as everyone's.
        reference_searched: likewise of the reference's.

    """

    optimizer: str
    distribution: str
    version: str
    n: int
    problems: int
    of_problems: int
    targets: int
    reached: int
    solved: float | None
    score_steps: float | None
    score_secs: float | None
    reference: str
    pairs: int
    speedup_steps: Interval | None
    p_steps: float | None
    verdict_steps: str
    speedup_secs: Interval | None
    p_secs: float | None
    verdict_secs: str
    optimizer_share: float | None
    optimizer_us: float | None
    state_bytes_per_param: float | None
    failures: list[str]
    searched: int | None
    reference_searched: int | None


Standings = Mapping[str, Sequence[Standing]]  # by track


def heat(known: Tracks, track: str, measure: Measure) -> dict[str, dict[str, float]]:
    """Return the median time to the target by problem and optimizer; inf: most trials miss it."""
    found: dict[str, dict[str, float]] = {}
    for (problem, optimizer), cell in known[track].items():
        if cell.has_target:
            found.setdefault(problem, {})[optimizer] = float(np.median(cell.times(measure)))
    return found


def _behind(known: Tracks, track: str, measure: Measure) -> dict[str, Array]:
    """Return of each optimizer how many times slower than the best it is, on each problem; inf: a miss or no trials.

    Controls are compared with the best, and are not the best: nobody's score depends on them.
    """
    times = heat(known, track, measure)
    names = dict.fromkeys(optimizer for each in times.values() for optimizer in each)
    table = np.array([[each.get(name, math.inf) for each in times.values()] for name in names])
    real = [place for place, name in enumerate(names) if not is_control(name)]
    best = table[real].min(axis=0, initial=math.inf) if real else table.min(axis=0, initial=math.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        # 0 / 0: an optimizer that reaches the target at once is the best
        behind = np.where(table <= best, 1.0, table / best)
    return dict(zip(names, np.where(np.isinf(table), math.inf, behind), strict=True))


def profiles(known: Tracks, track: str, measure: Measure) -> dict[str, tuple[Array, Array]]:
    """Return the performance profile of each optimizer (Dolan and More, 2002).

    Two float64 arrays: tau, rising from 1 to 4, the same of all optimizers, and the share of the track's problems on
    which the median time to the target is within tau times the best optimizer's. It is constant from one tau to the
    next. What an optimizer was not trained on it has not solved; what none has solved counts against all.

    A profile depends on who else was there: where the best of a problem leaves, others are nearer to the best that is
    left, and their order may change. Of two optimizers only `claims.versus` says which is better.
    """
    behind = _behind(known, track, measure)
    within = [each[each <= TAU] for each in behind.values()]
    taus = np.unique(np.concatenate([[1.0, TAU], *within]))
    return {name: (taus, (each[:, None] <= taus).mean(axis=0)) for name, each in behind.items()}


def scores(known: Tracks, track: str, measure: Measure) -> dict[str, float]:
    """Return the area under each performance profile over ln(tau), tau in [1, 4], as a share of the largest.

    A problem gives 1 to the best, 1/2 for twice as long, nothing from four times on and for a miss; the score is the
    mean. AlgoPerf integrates over tau itself, where twice as slow still is 2/3: on the logarithmic axis equal
    quotients cost the same, as in the geometric mean of speed-ups. As a profile, a score depends on who else was there.
    """
    return {
        name: float(np.maximum(0.0, 1 - np.log(each) / math.log(TAU)).mean())
        for name, each in _behind(known, track, measure).items()
    }


def standings(known: Tracks, track: str, reference: str = REFERENCE) -> list[Standing]:
    """Return how the optimizers of a track stand, the highest score in steps first.

    They are compared with tuned `reference`, or with that of their own track where it was trained on more problems. In
    the track known with that track's alone, of which it is known from how many trials its settings are.
    """
    tracks = (track,) if track == "known" else ("tuned", track)
    base, base_track = max(((_of(known[each], reference), each) for each in tracks), key=lambda found: len(found[0]))
    by_steps, by_secs = scores(known, track, "steps"), scores(known, track, "secs")
    of_problems = len({problem for problem, _ in known[track]})
    found = []
    for name in dict.fromkeys(optimizer for _, optimizer in known[track]):
        own = _of(known[track], name)
        steps, secs = (_against(own, base, measure) for measure in ("steps", "secs"))
        if base and (name, track) == (reference, base_track):
            steps = secs = Claim("reference", Interval(1.0, 1.0, 1.0), 1.0, steps.pairs, steps.problems)
        some = [trial for cell in own.values() for trial in cell.trials]
        scored = [cell for cell in own.values() if cell.has_target]
        n = sum(len(cell.steps) for cell in scored)
        found.append(
            Standing(
                optimizer=name,
                distribution=some[-1].distribution,
                version=some[-1].version,
                n=n,
                problems=len(own),
                of_problems=of_problems,
                targets=len(scored),
                reached=sum(2 * cell.reached >= len(cell.steps) for cell in scored),
                solved=sum(cell.reached for cell in scored) / n if scored else None,
                score_steps=by_steps.get(name),
                score_secs=by_secs.get(name),
                reference=f"{reference}, {base_track}" if base else "",
                pairs=steps.pairs,
                speedup_steps=steps.speedup,
                p_steps=steps.p,
                verdict_steps=steps.verdict if base else "",
                speedup_secs=secs.speedup,
                p_secs=secs.p,
                verdict_secs=secs.verdict if base else "",
                optimizer_share=median([trial.optimizer_share for trial in some]),
                optimizer_us=median([trial.optimizer_us for trial in some]),
                state_bytes_per_param=median([trial.state_bytes_per_param for trial in some]),
                failures=list(dict.fromkeys(f"{each.problem}: {each.reason}" for each in some if each.reason)),
                searched=searched([one for one, _ in _both(own, base)]),
                reference_searched=searched([other for _, other in _both(own, base)]),
            )
        )
    return sorted(found, key=lambda each: (-(each.score_steps or 0.0), each.optimizer))


def _of(cells: Cells, name: str) -> dict[str, Cell]:
    return {problem: cell for (problem, optimizer), cell in cells.items() if optimizer == name}


def _both(own: dict[str, Cell], base: dict[str, Cell]) -> list[tuple[Cell, Cell]]:
    """Return the cells of the problems that both were trained on and that have a target."""
    return [(cell, base[problem]) for problem, cell in own.items() if problem in base and cell.has_target]


def _against(own: dict[str, Cell], base: dict[str, Cell], measure: Measure) -> Claim:
    both = _both(own, base)
    return evenly_searched(paired([matched(one, other, measure) for one, other in both], measure), both)
