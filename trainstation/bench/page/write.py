"""The page as a whole: its sections in their order, written at once."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainstation.bench.cells import current
from trainstation.bench.ledger import Ledger
from trainstation.bench.output import counted
from trainstation.bench.page import appendix, evidence, pictures
from trainstation.bench.page.curves import curves
from trainstation.bench.page.looks import DARK, LIGHT, Look, looks_of
from trainstation.bench.page.sections import Part, Section

__all__ = ["write"]

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


def _render(ledger: Ledger, command: str) -> str:
    jinja = Environment(loader=PackageLoader("trainstation.bench", "page"), autoescape=True, undefined=StrictUndefined)
    jinja.trim_blocks = jinja.lstrip_blocks = True
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    first, looks = _looks(ledger)
    return jinja.get_template("page.html").render(
        title="Optimizers compared",
        subtitle=_subtitle(ledger),
        sections=list(_sections(ledger, looks)),
        looks=looks,
        first=first,
        legend_after="results",
        light=LIGHT,
        dark=DARK,
        script=Markup(script),  # noqa: S704  # ours
        script_hash=f"sha256-{digest}",
        command=command,
    )


def _looks(ledger: Ledger) -> tuple[list[str], dict[str, Look]]:
    """Return who is shown from the beginning, and everyone's look."""
    names = dict.fromkeys(trial.optimizer for trial in ledger.trials)
    first = list(names)[:SHOWN]
    first += [name for name in ALWAYS if name in names and name not in first]
    timed = dict.fromkeys(row.peer for row in ledger.speeds if row.suite == "step" and row.median_ns is not None)
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


def _sections(ledger: Ledger, looks: dict[str, Look]) -> Iterator[Section]:
    every, ledger = ledger, replace(ledger, trials=current(ledger.trials))
    scored = [trial for trial in ledger.trials if trial.track != "tuning"]
    yield evidence.environment(ledger)
    yield evidence.results(ledger)
    parts = [Part(f"Track {track}", panels) for track, panels in curves(scored, looks)]
    yield Section("curves", "Curves", ["c"], parts=parts)
    yield appendix.diagnostics(ledger.diagnostics)
    caches = ledger.envs[-1].caches if ledger.envs else {}
    yield pictures.speed(ledger.speeds, caches, looks)
    yield pictures.shares(scored)
    yield pictures.landscapes(ledger.paths, looks)
    yield appendix.configurations(ledger)
    yield appendix.failures(ledger)
    yield appendix.raw(every)
