"""The page as a whole: its sections in their order, written at once."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Trial
from trainstation.bench.report.page import appendix, evidence, pictures, tuning
from trainstation.bench.report.page.curves import curves
from trainstation.bench.report.page.looks import DARK, LIGHT, Look, looks_of
from trainstation.bench.report.page.sections import Section
from trainstation.bench.report.page.standings import heat, leaderboard, profiles, verdict
from trainstation.bench.speed import display
from trainstation.bench.verdicts.cells import Tracks, cells, current
from trainstation.bench.verdicts.score import Standings, standings
from trainstation.bench.words import counted

__all__ = ["write"]

SHOWN = 8  # best optimizers that are shown until others are asked for
ALWAYS = ("adamw", "sgd", "adam")
TRACKS = ("tuned", "default")  # the headline first


def write(ledger: Ledger, path: Path, *, command: str) -> None:
    """Write the page: one file that refers to no other.

    Args:
        ledger: the rows that it is made from.
        path: where it goes; a page that is there stands until the new one is whole.
        command: what made it, for its last line.

    Raises:
        OSError: the file cannot be written.

    """
    text = _render(ledger, command)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".report-", suffix=".html")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _render(ledger: Ledger, command: str) -> str:
    jinja = Environment(
        loader=PackageLoader("trainstation.bench.report", "page"), autoescape=True, undefined=StrictUndefined
    )
    jinja.trim_blocks = jinja.lstrip_blocks = True
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    trials = current(ledger.trials)
    known = cells(trials)
    found = {track: standings(known, track) for track in TRACKS if known[track]}
    first, looks = _looks(ledger, found)
    return jinja.get_template("page.html").render(
        title="Optimizers compared",
        subtitle=_subtitle(ledger),
        sections=list(_sections(ledger, trials, known, found, looks)),
        looks=looks,
        first=first,
        legend={"after": "leaderboard" if found else "environment", "until": "landscapes"},
        light=LIGHT,
        dark=DARK,
        script=Markup(script),  # noqa: S704  # ours
        script_hash=f"sha256-{digest}",
        command=command,
    )


def _looks(ledger: Ledger, found: Standings) -> tuple[list[str], dict[str, Look]]:
    """Return the optimizers that are shown from the beginning, and the look of each."""
    names = dict.fromkeys(each.optimizer for some in found.values() for each in some)
    first = list(names)[:SHOWN]
    first += [name for name in ALWAYS if name in names and name not in first]
    names |= dict.fromkeys(trial.optimizer for trial in ledger.trials)
    timed = dict.fromkeys(row.peer for row in display.timed(ledger.speeds))
    walked = dict.fromkeys(path.optimizer for path in ledger.paths)
    looks = looks_of(first, [*sorted(names), *timed, *walked])
    return [*first, *(name for name in timed if name not in names)], looks


def _subtitle(ledger: Ledger) -> str:
    scored = [trial for trial in ledger.trials if trial.track != "tuning"]
    optimizers, problems = ({getattr(trial, name) for trial in scored} for name in ("optimizer", "problem"))
    days = sorted(env.started_at[:10] for env in ledger.envs)
    parts = [
        counted(len(optimizers), "optimizer"),
        counted(len(problems), "problem"),
        counted(len(ledger.trials), "trial"),
    ]
    return ", ".join([*parts, *days[-1:]])


def _sections(
    ledger: Ledger, trials: Sequence[Trial], known: Tracks, found: Standings, looks: dict[str, Look]
) -> Iterator[Section]:
    """Yield the sections in their order; `trials` are those of the ledger that count, `known` the same in cells."""
    scored = [trial for trial in trials if trial.track != "tuning"]
    caches = ledger.envs[-1].caches if ledger.envs else {}
    boxes = {name: appendix.box(name) for name in dict.fromkeys(trial.optimizer for trial in trials)}
    yield verdict(found)
    yield evidence.environment(ledger)
    if found:
        yield leaderboard(found, ledger.speeds)
        yield curves(scored, looks)
        yield profiles(known, found, looks)
        yield heat(known, found)
        yield tuning.rates(known, boxes, looks)
        yield tuning.expectation(known, looks)
    yield appendix.diagnostics(ledger.diagnostics)
    yield pictures.speed(ledger.speeds, caches, looks)
    yield pictures.shares(scored)
    yield pictures.landscapes(ledger.paths, looks)
    if trials:
        yield evidence.results(trials, ledger.runs)
        yield appendix.configurations(trials, boxes)
    yield appendix.failures(trials, ledger)
    yield appendix.raw(ledger)
