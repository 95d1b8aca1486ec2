"""What is judged: the verdict, the leaderboard, profiles, times to the target, and how much tuning matters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import NullLocator

from trainstation.bench import command_line, words
from trainstation.bench.palette import is_control
from trainstation.bench.records.rows import Speed
from trainstation.bench.report.page.drawing import Drawing
from trainstation.bench.report.page.looks import Look
from trainstation.bench.report.page.sections import Panel, Part, Section, absent
from trainstation.bench.report.page.tables import Cell, Table, folded, matrix, number
from trainstation.bench.speed import display
from trainstation.bench.verdicts import score
from trainstation.bench.verdicts.cells import Measure, Tracks
from trainstation.bench.verdicts.score import Standing, Standings
from trainstation.bench.verdicts.sentences import verdict_sentences

__all__ = ["heat", "leaderboard", "profiles", "verdict"]

MEASURES: dict[Measure, str] = {"steps": "in steps: the algorithm", "secs": "in seconds: the whole"}
FACTORS = (1, 1.5, 2, 3, 4)
KINDS = {"better": "good", "faster": "good", "worse": "bad", "slower": "bad"}


def verdict(found: Standings) -> Section:
    """Say in sentences what the rows show."""
    real = {track: [each for each in some if not is_control(each.optimizer)] for track, some in found.items()}
    parts = [Part(f"Track {track}", points=verdict_sentences(some, track)) for track, some in real.items() if some]
    if not parts:
        return absent("verdict", "Verdict", "trials", command_line("bench"))
    return Section("verdict", "Verdict", parts=parts)


def leaderboard(found: Standings, speeds: Sequence[Speed]) -> Section:
    """List the optimizers of each track, the best first."""
    text = (
        "Score: the area under the performance profile: 1 for the fastest on every problem, 0 for four times "
        "slower or a miss; it depends on the others there. Speed-up: geometric mean over problems and paired "
        "seeds against the reference, with its 95 % interval; “better” and “faster” only where the interval excludes 1 "
        "and p < 0.05. “not claimed”: the loser was tuned with fewer trials than the winner."
    )
    spent = _nanoseconds(speeds)
    tables = [_board(track, some, spent) for track, some in found.items()]
    return Section("leaderboard", "Leaderboard", [text], parts=[Part(tables=tables)])


def _nanoseconds(speeds: Sequence[Speed]) -> dict[str, float]:
    """Return the nanoseconds a parameter of the largest tensor that was timed, on as few threads as there are."""
    timed = [row for row in display.timed(speeds) if row.tensors == 1]
    timed.sort(key=lambda row: (row.mode == "warm", -row.threads, row.n))
    return {row.peer: row.ns_per_param or 0.0 for row in timed}


def _board(track: str, found: Sequence[Standing], spent: Mapping[str, float]) -> Table:
    reference = next((each.reference for each in found if each.reference), "")
    against = f"against {reference}" if reference else ""
    headings = [
        *("optimizer", "score, steps", "score, time", "solved", "n", "speed-up, steps", "verdict, steps"),
        *("speed-up, time", "verdict, time", "ns / param", "bytes / param", "share of step", "from"),
    ]
    rows = [
        [
            Cell(each.optimizer),
            number(words.score(each.score_steps), each.score_steps),
            number(words.score(each.score_secs), each.score_secs),
            number(words.share(each.solved), each.solved),
            number(str(each.n), each.n),
            number(words.ratio(each.speedup_steps), each.speedup_steps.mid if each.speedup_steps else None),
            Cell(each.verdict_steps, kind=KINDS.get(each.verdict_steps, "")),
            number(words.ratio(each.speedup_secs), each.speedup_secs.mid if each.speedup_secs else None),
            Cell(each.verdict_secs, kind=KINDS.get(each.verdict_secs, "")),
            number(words.figure(spent.get(each.optimizer)), spent.get(each.optimizer)),
            number(words.figure(each.state_bytes_per_param), each.state_bytes_per_param),
            number(words.share(each.optimizer_share), each.optimizer_share),
            Cell(f"{each.distribution} {each.version}".strip()),
        ]
        for each in found
    ]
    count = words.counted(sum(not is_control(each.optimizer) for each in found), "optimizer")
    caption = f"Track {track}: {count} on {words.counted(found[0].of_problems, 'problem')}; speed-ups {against}"
    caption = caption.rstrip("; ")
    made = Table(caption, headings, rows, frozenset({"verdict, steps", "verdict, time", "from"}))
    return folded(made, {each.optimizer for each in found if each.solved or each.score_steps}, "No target reached")


def profiles(known: Tracks, found: Standings, looks: Mapping[str, Look]) -> Section:
    """Draw on how many problems each is within a factor of the best."""
    parts = []
    for track, some in found.items():
        panels = [panel for measure in MEASURES if (panel := _profile(known, track, measure, some, looks))]
        if panels:
            parts.append(Part(f"Track {track}", panels=panels, wide=True))
    title = "Performance profiles"
    if not parts:
        return absent("profiles", title, "trials with a target", command_line("bench", "--profile", "standard"))
    text = "The share of problems on which the median time to the target is within a factor of the best optimizer's."
    return Section("profiles", title, [text], parts=parts)


def _profile(
    known: Tracks, track: str, measure: Measure, found: Sequence[Standing], looks: Mapping[str, Look]
) -> Panel | None:
    made = {name: each for name, each in score.profiles(known, track, measure).items() if each[1].any()}
    if not made:
        return None

    def draw(axes: Any) -> None:
        for name, (taus, shares) in made.items():
            look = looks[name]
            axes.plot(taus, 100 * shares, drawstyle="steps-post", marker=look.mark, markevery=[-1], **look.line)
        axes.set(xlim=(1, score.TAU * 1.02), ylim=(-2, 102), xlabel="factor of the best time", xscale="log")
        axes.set_xticks(FACTORS, map(str, FACTORS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:.0f} %")

    value = "score_steps" if measure == "steps" else "score_secs"
    real = [each for each in found if getattr(each, value) and not is_control(each.optimizer)]
    ranked = sorted(real, key=lambda each: -(getattr(each, value) or 0.0))[:3]
    best = ", ".join(f"{each.optimizer} {words.score(getattr(each, value))}" for each in ranked)
    alt = f"Performance profiles, {track}, {MEASURES[measure]}, of {len(made)} optimizers. The highest scores: {best}."
    names = {look.key: name for name, look in looks.items()}
    drawing = Drawing(f"profile-{track}-{measure}", alt, draw, size=(5.6, 3.2), names=names)
    return Panel(MEASURES[measure].capitalize(), f"highest scores: {best}", drawing)


def heat(known: Tracks, found: Standings) -> Section:
    """List the median time to the target of each optimizer on each problem."""
    tables = [
        table for track, some in found.items() for measure in MEASURES if (table := _heat(known, track, measure, some))
    ]
    title = "Time to the target"
    if not tables:
        return absent("heat", title, "trials with a target", command_line("bench", "--profile", "standard"))
    text = "The stronger the shade, the nearer to the best of its column; — is a miss: most trials did not get there."
    return Section("heat", title, [text], parts=[Part(tables=tables)])


def _heat(known: Tracks, track: str, measure: Measure, found: Sequence[Standing]) -> Table | None:
    times = score.heat(known, track, measure)
    if not times:
        return None
    best = {problem: min(some.values()) for problem, some in times.items()}
    values = {
        (each.optimizer, problem): some[each.optimizer]
        for each in found
        for problem, some in times.items()
        if each.optimizer in some
    }

    def near(problem: str, value: float) -> float:
        return max(0.0, 1 - math.log(value / best[problem]) / math.log(score.TAU)) if best[problem] > 0 else 1.0

    unit = "steps" if measure == "steps" else "processor time"
    write = words.count if measure == "steps" else words.seconds
    return matrix(f"Track {track}: median {unit} to the target", "optimizer", values, write, near)
