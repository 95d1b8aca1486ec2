"""The page as a whole: its sections in their order, written at once."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainstation.bench import TRACKS
from trainstation.bench.palette import is_control
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.report.page import appendix, evidence, pictures, tuning
from trainstation.bench.report.page.curves import curves
from trainstation.bench.report.page.looks import DARK, LIGHT, looks_of
from trainstation.bench.report.page.sections import Section
from trainstation.bench.report.page.standings import heat, leaderboard, profiles, verdict
from trainstation.bench.speed import display
from trainstation.bench.verdicts.cells import cells, current
from trainstation.bench.verdicts.score import Standings, standings
from trainstation.bench.words import counted

__all__ = ["save_figures", "write"]

SHOWN = 8  # best optimizers that are shown until others are asked for
ALWAYS = ("adamw", "sgd", "adam")


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


def save_figures(ledger: Ledger, folder: Path, kind: str) -> list[Path]:
    """Write each figure of the page as a file of its own, and return which; files of these names are replaced.

    Args:
        ledger: the rows that they are made from.
        folder: where they go; made if it is not there.
        kind: svg or pdf.

    Raises:
        OSError: a file cannot be written.

    """
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for section in _Page(ledger).sections():
        for panel in (panel for part in section.parts for panel in part.panels):
            name = re.sub(r"[^a-z0-9_]+", "-", f"{panel.drawing.ident}-{panel.title}".lower()).strip("-")
            made.append(folder / f"{name}.{kind}")
            panel.drawing.save(made[-1], f"{panel.title}: {panel.note}")
    return made


def _render(ledger: Ledger, command: str) -> str:
    jinja = Environment(
        loader=PackageLoader("trainstation.bench.report", "page"), autoescape=True, undefined=StrictUndefined
    )
    jinja.trim_blocks = jinja.lstrip_blocks = True
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made = _Page(ledger)
    return jinja.get_template("page.html").render(
        title="Optimizers compared",
        subtitle=_subtitle(ledger),
        sections=list(made.sections()),
        looks=made.looks,
        first=made.first,
        legend={"after": "leaderboard" if made.found else "environment", "until": "landscapes"},
        light=LIGHT,
        dark=DARK,
        script=Markup(script),  # noqa: S704  # ours
        script_hash=f"sha256-{digest}",
        command=command,
    )


class _Page:
    """What is on the page.

    Attributes:
        found: the standings of each track that has rows.
        looks: of all optimizers.
        first: those that are shown from the beginning.

    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._trials = current(ledger.trials)
        self._known = cells(self._trials)
        self.found: Standings = {track: standings(self._known, track) for track in TRACKS if self._known[track]}
        ranked = dict.fromkeys(each.optimizer for some in self.found.values() for each in some)
        names = [name for name in ranked if not is_control(name)]
        first = dict.fromkeys([*names[:SHOWN], *(name for name in ALWAYS if name in names)])
        timed = dict.fromkeys(row.peer for row in display.timed(ledger.speeds))
        walked = dict.fromkeys(path.optimizer for path in ledger.paths)
        rest = sorted(
            {*names, *(trial.optimizer for trial in ledger.trials)}, key=lambda name: (is_control(name), name)
        )
        self.looks = looks_of([*first, *rest, *timed, *walked])
        self.first = [*first, *(name for name in timed if name not in rest)]

    def sections(self) -> Iterator[Section]:
        """Yield the sections in their order."""
        ledger, trials, known, found, looks = self._ledger, self._trials, self._known, self.found, self.looks
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


def _subtitle(ledger: Ledger) -> str:
    scored = [trial for trial in ledger.trials if trial.track != "tuning" and not is_control(trial.optimizer)]
    optimizers, problems = ({getattr(trial, name) for trial in scored} for name in ("optimizer", "problem"))
    days = sorted(env.started_at[:10] for env in ledger.envs)
    parts = [
        counted(len(optimizers), "optimizer"),
        counted(len(problems), "problem"),
        counted(len(ledger.trials), "trial"),
    ]
    return ", ".join([*parts, *days[-1:]])
