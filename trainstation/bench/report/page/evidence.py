"""The evidence: where the rows were measured, and every result with the command that makes it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from trainstation.bench import command_line, stats, words
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Env, Run, Trial
from trainstation.bench.report.page.sections import Part, Section
from trainstation.bench.report.page.tables import Cell, Table, folded, number
from trainstation.bench.words import counted

__all__ = ["environment", "groups", "results"]

Group = tuple[str, str, str]  # problem, track, optimizer


def groups(trials: Iterable[Trial]) -> dict[Group, list[Trial]]:
    """Return trials by problem, track and optimizer, in the order of the rows."""
    found: dict[Group, list[Trial]] = {}
    for trial in trials:
        found.setdefault((trial.problem, trial.track, trial.optimizer), []).append(trial)
    return found


def environment(ledger: Ledger) -> Section:
    """Say where the rows were measured, and how quietly."""
    envs = list({env.env_id: env for env in ledger.envs}.values())
    facts = [fact for env in envs for fact in _machine(env)]
    shares = [row.others_pct for row in ledger.speeds if row.others_pct is not None]
    doubted = sum(bool(row.warnings) for row in ledger.speeds)
    if shares:
        noise = f"others took {stats.interval(shares).mid:.1f} % of the processors' time in the median"
        doubt = f"{doubted} of {len(ledger.speeds)} timings are in doubt"
        facts.append(("Noise of timings", f"{noise}, {max(shares):.1f} % at most; {doubt}"))
    texts = [f"Rows of {len(envs)} different environments: compare times within one only."] if len(envs) > 1 else []
    if ledger.trials:
        texts.append(
            "Trials run on one thread each. Their clock is the processor time of the process, and stands still while "
            "the metric is evaluated."
        )
    return Section("environment", "Environment", texts, facts=facts)


def _machine(env: Env) -> Iterator[tuple[str, str]]:
    caches = ", ".join(f"{level} {size // 1024:,} KiB" for level, size in env.caches.items())
    yield "Processor", f"{env.cpu_model} ({env.arch}), {counted(env.cores, 'core')}" + (f"; {caches}" if caches else "")
    huge = f"; huge pages: {env.thp}" if env.thp else ""
    yield "Memory", f"{env.ram_gib:g} GiB{huge}"
    yield "System", env.system
    blas = {f"{each.get('internal_api')} {each.get('version') or ''}".strip() for each in env.blas}
    yield (
        "Software",
        f"trainstation {env.trainstation} ({env.isa} kernels), Python {env.python}, NumPy {env.numpy}; "
        + ", ".join(sorted(blas)),
    )
    yield "Begun", f"{env.started_at} (environment {env.env_id})"


def results(trials: Sequence[Trial], runs: Sequence[Run]) -> Section:
    """List every problem, track and optimizer with its evidence and its command."""
    found = groups(trial for trial in trials if trial.track != "tuning")
    headings = [
        "optimizer",
        "track",
        "n",
        "metric at the end",
        "best",
        "steps to target",
        "reached",
        "time to target",
        "training",
        "status",
        "command",
    ]
    parts = []
    for problem in dict.fromkeys(problem for problem, _, _ in found):
        rows = [
            _result(some, _command(some, trials, runs)) for (which, _, _), some in found.items() if which == problem
        ]
        first = next(some[0] for (which, _, _), some in found.items() if which == problem)
        target = f", target {words.metric(first.metric, first.target)}" if first.target is not None else ""
        caption = f"{problem}: {first.metric} on data not trained on{target}; medians over n seeds, with 95 % intervals"
        parts.append(Part(tables=[folded(Table(caption, headings, rows, frozenset({"track", "status", "command"})))]))
    texts = ["A command runs its row again, in another folder (--out) or with --fresh. — is a miss."]
    return Section("results", "Every result, and its command", texts, parts=parts)


def _result(trials: Sequence[Trial], command: str) -> list[Cell]:
    name, first = trials[0].metric, trials[0]
    finals = [trial.final for trial in trials if trial.final is not None]
    final = stats.interval(finals) if finals else None
    steps = _typical([trial.steps_to_target for trial in trials])
    secs = _typical([trial.secs_to_target for trial in trials])
    best, spent = stats.median([trial.best for trial in trials]), stats.median([trial.secs for trial in trials])
    reached = sum(trial.steps_to_target is not None for trial in trials)
    states = [trial.status for trial in trials]
    status = ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states))
    aimed = first.target is not None
    return [
        Cell(first.optimizer),
        Cell(first.track),
        number(str(len(trials)), len(trials)),
        number(words.around(name, final), final.mid if final else None),
        number(words.metric(name, best), best),
        number(words.count(steps) if aimed else "", steps),
        number(f"{reached} of {len(trials)}" if aimed else "", reached if aimed else None),
        number(words.seconds(secs) if aimed else "", secs),
        number(words.seconds(spent), spent),
        Cell(status, kind="" if set(states) == {"done"} else "bad"),
        Cell(command, is_code=True),
    ]


def _typical(values: Sequence[float | None]) -> float | None:
    """Return the median, where what is missing is infinite."""
    found = sorted(math.inf if value is None else value for value in values)
    middle = stats.median(found)
    return middle if middle is not None and math.isfinite(middle) else None


def _command(trials: Sequence[Trial], every: Sequence[Trial], runs: Sequence[Run]) -> str:
    """Return the command that makes such rows."""
    first = trials[-1]
    asked = next((run.plan for run in reversed(runs) if _has(run, first)), {})
    said = ["bench", first.optimizer, "--problem", first.problem]
    seeds = ["--seeds", str(max(trial.seed for trial in trials) + 1)]
    if asked.get("epochs"):
        return command_line(*said, "--epochs", str(asked["epochs"]), *seeds)
    if first.max_steps is None or first.track == "known":
        return command_line(*said, *seeds)
    schedule = "cosine" if first.schedule == "warmup" else first.schedule  # as asked of one that is schedule-free
    said += ["--track", first.track, "--schedule", schedule, *seeds]
    if first.track == "tuned":
        same = (first.problem, first.optimizer)
        tried = [t.trial for t in every if t.track == "tuning" and (t.problem, t.optimizer) == same]
        count = max((place + 1 for place in tried if place is not None), default=0)
        said += ["--trials", str(count)] if count else []
    return command_line(*said)


def _has(run: Run, trial: Trial) -> bool:
    plan: Any = run.plan
    return trial.problem in plan.get("problems", ()) and trial.optimizer in plan.get("names", ())
