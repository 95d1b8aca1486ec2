"""What stands behind the results: configurations, diagnostics, failures, and the rows themselves."""

from __future__ import annotations

import base64
import lzma
from collections import Counter
from collections.abc import Mapping, Sequence

from trainstation.bench import command_line
from trainstation.bench.protocol import search
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.records.rows import Diagnostic, Row, Trial, to_json
from trainstation.bench.report.page.evidence import groups
from trainstation.bench.report.page.sections import Download, Part, Section, absent
from trainstation.bench.report.page.tables import Cell, Table, folded, number
from trainstation.bench.words import counted, hyper
from trainstation.errors import DuplicateOptimizerError, UnknownOptimizerError
from trainstation.registry.lookup import find_optimizer
from trainstation.registry.spaces import Side, Space

__all__ = ["box", "configurations", "diagnostics", "failures", "raw"]

SIGNS = {
    "default": ("● default", "good"),
    "tuned": ("◐ tuned", ""),
    "fail": ("✕ fail", "bad"),
    "error": ("! error", "bad"),
}


def configurations(trials: Sequence[Trial], boxes: Mapping[str, Space]) -> Section:
    """List what each optimizer was run with, where it was searched for, and what lies at an edge."""
    found = groups(trials)
    default = {name: some[0].hparams for (_, track, name), some in found.items() if track == "default"}
    rows = []
    for name, box in boxes.items():
        space = ", ".join(f"{key} {_side(side)}" for key, side in box.items())
        rows.append([Cell(name), Cell(hyper(default.get(name, {})), kind="long"), Cell(space, kind="long")])
    headings = ["optimizer", "hyper-parameters", "search box"]
    registered = "As registered, and the box that the track tuned searches"
    tables = [folded(Table(registered, headings, rows, frozenset(headings)))]
    texts = ["An interval is searched on a logarithmic scale. On every problem all optimizers have as many points."]
    best = []
    for (problem, track, name), some in found.items():
        if track == "tuned":
            point = {key: some[-1].hparams[key] for key in boxes[name] if key in some[-1].hparams}
            edges = "; ".join(search.edges(boxes[name], point))
            best.append([Cell(name), Cell(problem), Cell(hyper(point), kind="long"), Cell(edges, kind="long")])
    if best:
        headings = ["optimizer", "problem", "best point of the box", "warning"]
        found_best = Table("What was tuned: the best point of each search", headings, best, frozenset(headings))
        tables.append(folded(found_best))
        warned = sum(bool(line[-1].text) for line in best)
        texts.append(f"{warned} of {len(best)} best points lie at an edge of their box: outside may be a better one.")
    return Section("configurations", "Configurations and search boxes", texts, parts=[Part(tables=tables)])


def _side(side: Side) -> str:
    return f"{{{', '.join(map(str, side))}}}" if isinstance(side, list) else f"[{side[0]:g}, {side[1]:g}]"


def box(name: str) -> Space:
    """Return the box of an optimizer; of one that is not installed here, an empty one."""
    try:
        return search.box_of(find_optimizer(name))
    except (UnknownOptimizerError, DuplicateOptimizerError):
        return {}


def diagnostics(rows: Sequence[Diagnostic]) -> Section:
    """Show which optimizer passes which diagnostic."""
    title = "Diagnostics"
    if not rows:
        return absent("diagnostics", title, "diagnostics", command_line("bench", "--profile", "standard"))
    last = {(row.optimizer, row.diagnostic): row for row in rows}
    across = list(dict.fromkeys(row.diagnostic for row in rows))
    lines = []
    for name in dict.fromkeys(row.optimizer for row in rows):
        some = [last.get((name, each)) for each in across]
        passed = sum(row is not None and row.status in ("default", "tuned") for row in some)
        lines.append([Cell(name), number(f"{passed} of {len(across)}", passed), *(_sign(row) for row in some)])
    lines.sort(key=lambda line: -(line[1].value or 0))
    text = (
        "Each is of one property, passed or failed, and not scored. ● default: passed as registered; ◐ tuned: passed "
        "with another learning rate of a grid that all have; ✕ fail; ! error: raised (see the failures)."
    )
    found = folded(Table("Diagnostics by optimizer", ["optimizer", "passed", *across], lines, frozenset(across)))
    return Section("diagnostics", title, [text], parts=[Part(tables=[found])])


def _sign(row: Diagnostic | None) -> Cell:
    if row is None:
        return Cell("")
    text, kind = SIGNS.get(row.status, (row.status, ""))
    return Cell(text + (f" (lr {row.lr:g})" if row.status == "tuned" and row.lr is not None else ""), kind=kind)


def failures(trials: Sequence[Trial], ledger: Ledger) -> Section:
    """List what failed, each reason once with how often."""
    found = [
        *((t.optimizer, f"{t.problem}, {t.track}", t.status, t.reason) for t in trials if t.status != "done"),
        *((d.optimizer, d.diagnostic, d.status, d.reason) for d in ledger.diagnostics if d.status == "error"),
        *((s.peer, f"speed, {s.case}", s.status, s.reason) for s in ledger.speeds if s.status != "done"),
    ]
    rows = [
        [Cell(name), Cell(where), Cell(status), number(str(times), times), Cell(reason, kind="long")]
        for (name, where, status, reason), times in Counter(found).items()
    ]
    if not rows:
        return Section("failures", "Failures", ["Nothing diverged, and nothing raised an error."])
    headings = ["optimizer", "where", "status", "times", "reason"]
    table = Table("What diverged or raised an error", headings, rows, frozenset({"where", "status", "reason"}))
    text = "All of them are among the rows, and count as misses."
    return Section("failures", "Failures", [text], parts=[Part(tables=[table])])


def raw(ledger: Ledger) -> Section:
    """Embed all rows, in the format that `trainstation report` reads."""
    every: list[Row] = [*ledger.envs, *ledger.runs]
    for trial in ledger.trials:
        every += [*trial.points, trial]
    every += [*ledger.speeds, *ledger.diagnostics, *ledger.paths]
    packed = lzma.compress("".join(f"{to_json(row)}\n" for row in every).encode())
    uri = "data:application/x-xz;base64," + base64.b64encode(packed).decode()
    text = f"Download rows.jsonl.xz ({counted(len(every), 'row')}, {len(packed) / 2**20:.1f} MiB)"
    about = (
        "All rows from which this page was made, one JSON object a line, schema tsb/1. Of a folder that holds this "
        "file, trainstation report makes the page again."
    )
    return Section("rows", "The rows", [about], download=Download("rows.jsonl.xz", uri, text))
