"""What a run shows at its end: tables and sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from trainstation.bench import stats, words
from trainstation.bench.problems import Problem
from trainstation.bench.records.rows import Trial
from trainstation.bench.verdicts.score import Standing, Standings
from trainstation.bench.verdicts.sentences import verdict_sentences

__all__ = ["known", "leaderboard", "sentences", "tables"]

FEW_TABLES = 6
BESIDE = 4  # problems whose columns stand beside one another
WIDE = 160  # letters of a line
ENOUGH = (105, 120, 145)  # letters from which the columns beside the problems have room, but for the first
NARROW = 120  # below which the standings have fewer columns


def tables(
    problems: Sequence[Problem], trials: Sequence[Trial], found: Standings, width: int = WIDE
) -> Iterator[Table]:
    """Yield a table of each problem and track, where these are few, then the standings, where there are targets.

    Of the track known alone one table has it all. `width` is how many letters a line may have.
    """
    if list(found) == ["known"] and len(problems) <= BESIDE:
        yield known(problems, trials, found["known"], width)
        return
    few = len(problems) * len(found) <= FEW_TABLES
    for problem in problems if few else ():
        for track in found:
            some = [trial for trial in trials if (trial.problem, trial.track) == (problem.name, track)]
            if some:
                yield _table(problem, some, f", {track}" if len(found) > 1 else "")
    if len(problems) > 1:
        yield from (leaderboard(some, track, width) for track, some in found.items() if _has_scores(some))


def known(problems: Sequence[Problem], trials: Sequence[Trial], found: Sequence[Standing], width: int = WIDE) -> Table:
    """Return one table of all problems: the steps in which half of the trials reach each target, and the last metric.

    Beside them how the whole compares with the reference. Who reaches the most targets stands first.
    """
    reference = found[0].reference.partition(",")[0]
    against = f"\ntimes as fast as {reference}" if reference else ""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    made.add_column("optimizer", min_width=9, overflow="fold")
    for problem in problems:
        aim = f"\nsteps to {problem.say(problem.target)}" if problem.target is not None else ""
        heading = f"{problem.name}{aim}\n[test {problem.metric}]".replace("[", "\\[")
        made.add_column(heading, justify="right", overflow="fold")
    # Where the line is short, what matters least is left out.
    beside = [f"in steps,{against}", f"in seconds,{against}", "us in\noptimizer", "from"]
    beside = beside[: 1 + sum(width >= enough for enough in ENOUGH)]
    for heading in beside:
        made.add_column(heading, justify="left" if heading == "from" else "right", overflow="fold")
    for each in sorted(found, key=lambda each: -each.reached):
        own = [trial for trial in trials if (trial.optimizer, trial.track) == (each.optimizer, "known")]
        cells = (
            _claimed(each.speedup_steps, each.verdict_steps, 0),
            _claimed(each.speedup_secs, each.verdict_secs, 0),
            words.count(each.optimizer_us, words.DASH),
            f"{each.distribution} {each.version}".strip(),
        )
        made.add_row(
            each.optimizer,
            *(_known_cell(problem, [trial for trial in own if trial.problem == problem.name]) for problem in problems),
            *cells[: len(beside)],
        )
    return made


def _known_cell(problem: Problem, trials: Sequence[Trial]) -> str:
    """Write when half of the trials were at the target, how many got there, and the median of the last metrics."""
    final = problem.say(stats.median([trial.final for trial in trials]))
    failed = [trial.status for trial in trials if trial.status != "done"]
    if failed:
        final = f"{len(failed)} {failed[0]}"
    if problem.target is None:
        return f"\\[{final}]"
    steps = sorted(math.inf if trial.steps_to_target is None else trial.steps_to_target for trial in trials)
    half = steps[(len(steps) - 1) // 2] if steps else math.inf
    reached = sum(map(math.isfinite, steps))
    return f"{words.count(half, words.DASH)} ({reached} of {len(steps)})\n\\[{final}]"


def sentences(found: Standings) -> Iterator[str]:
    """Yield what the standings of each track say, where there are targets."""
    for track, some in found.items():
        if _has_scores(some):
            yield from verdict_sentences(some, track)


def _has_scores(found: Sequence[Standing]) -> bool:
    return any(each.score_steps is not None for each in found)


def leaderboard(found: Sequence[Standing], track: str, width: int = WIDE) -> Table:
    """Return the standings of a track as a table; beside each number what it rests on."""
    reference = found[0].reference if found else ""
    made = Table(title=f"{track} track", title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    made.add_column("optimizer", min_width=9, overflow="fold")
    pairs = sorted({each.pairs for each in found if each.verdict_steps not in ("", "reference")})
    against = f"times as fast as {reference}" if reference else "times as fast"
    against += f" (n = {pairs[0]})" if len(pairs) == 1 else ""
    headings = ["score in steps", "reach the target", f"{against}, in steps"]
    headings += ["in seconds", "score in seconds", "us in optimizer", "bytes / parameter"] if width >= NARROW else []
    for heading in headings:
        made.add_column(heading, justify="right", overflow="fold")
    nothing = [each.optimizer for each in found if each.solved == 0 and not each.score_steps]
    if nothing:
        made.caption, made.caption_justify = f"No trial of these reaches a target: {', '.join(nothing)}", "left"
    for each in (each for each in found if each.optimizer not in nothing):
        spent, share = words.count(each.optimizer_us, words.DASH), each.optimizer_share
        cells = (
            words.score(each.score_steps, words.DASH),
            "-" if each.solved is None else f"{100 * each.solved:.0f} % of {each.n}",
            _claimed(each.speedup_steps, each.verdict_steps, each.pairs * (len(pairs) > 1)),
            _claimed(each.speedup_secs, each.verdict_secs, each.pairs * (len(pairs) > 1)),
            words.score(each.score_secs, words.DASH),
            spent + ("" if share is None else f" ({100 * share:.0f} %)"),
            words.number(each.state_bytes_per_param, ".1f", words.DASH),
        )
        made.add_row(each.optimizer, *cells[: len(headings)])
    return made


def _claimed(speedup: stats.Interval | None, verdict: str, pairs: int) -> str:
    if speedup is None or verdict == "reference":
        return verdict or "-"
    return f"{verdict} {words.ratio(speedup)}" + f" n={pairs}" * bool(pairs)


def _empty(title: str, headings: Sequence[str]) -> Table:
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    made.add_column("optimizer", min_width=9, overflow="fold")
    made.add_column("distribution", min_width=5, overflow="fold")
    for heading in headings:
        made.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    made.add_column("status", no_wrap=True)
    return made


def _table(problem: Problem, trials: Sequence[Trial], track: str) -> Table:
    """Return the optimizers as a table, the best metric first; of several seeds the median, with its interval and n."""
    by = {name: [trial for trial in trials if trial.optimizer == name] for name in {each.optimizer for each in trials}}
    sign = 1 if problem.lower_is_better else -1

    def place(name: str) -> tuple[float, str]:
        finals = [math.inf if trial.final is None else sign * trial.final for trial in by[name]]
        return float(np.median(finals)), name

    headings = [f"test {problem.metric}", "best", "final loss", "steps", "us / step", "us in optimizer"]
    if problem.target is not None:
        headings.insert(2, f"steps to {problem.say(problem.target)}")
    made = _empty(f"{problem.name}: {problem.summary}{track}", headings)
    for name in sorted(by, key=place):
        some = by[name]
        step, spent = (
            stats.median([trial.step_us for trial in some]),
            stats.median([trial.optimizer_us for trial in some]),
        )
        cells = [
            _spread(problem, some),
            problem.say(stats.median([trial.best for trial in some])),
            words.number(stats.median([trial.final_loss for trial in some]), ".2g", words.DASH),
            f"{np.median([trial.steps for trial in some]):,.0f}",
            words.count(step, words.DASH),
            words.count(spent, words.DASH) + (f" ({100 * spent / step:.0f} %)" if step and spent else ""),
        ]
        if problem.target is not None:
            cells.insert(2, _steps(some))
        states = [trial.status for trial in some]
        state = ", ".join(
            each if len(set(states)) == 1 else f"{states.count(each)} {each}" for each in dict.fromkeys(states)
        )
        made.add_row(name, f"{some[0].distribution} {some[0].version}".strip(), *cells, state)
    return made


def _spread(problem: Problem, trials: Sequence[Trial]) -> str:
    """Write the median of the last metrics, of several with the interval and their number."""
    finals = [trial.final for trial in trials if trial.final is not None]
    if not finals or len(trials) == 1:
        return problem.say(finals[0] if finals else None)
    low, mid, high = map(problem.say, stats.interval(finals))
    return f"{mid} [{low}, {high}] n={len(finals)}"


def _steps(trials: Sequence[Trial]) -> str:
    """Write the median steps to the target, and how many of how many got there if not all."""
    steps = [math.inf if trial.steps_to_target is None else trial.steps_to_target for trial in trials]
    reached, middle = sum(map(math.isfinite, steps)), float(np.median(steps))
    text = words.count(middle, words.DASH)
    return text if reached == len(steps) or len(steps) == 1 else f"{text} ({reached} of {len(steps)})"
