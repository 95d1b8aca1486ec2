"""What `torch` has measured: rows, the targets beside them, and the tables that a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from trainstation.bench import stats
from trainstation.bench.words import DASH, ratio


@dataclass(frozen=True, slots=True)
class Target:
    """How many times as fast as another optimizer we are to be in a case; `surely`: by the interval's lower end."""

    case: str
    against: str
    least: float
    surely: bool = False

    @property
    def text(self) -> str:
        """The target as one says it."""
        return f"{self.against} >= {self.least:g}x"

    def is_met(self, speed: stats.Interval) -> bool:
        """Whether this speed is enough."""
        return (speed.low if self.surely else speed.mid) >= self.least


# Of the steps of adam and adamw by themselves.
TARGETS = (
    Target("1000x100", "default", 30),
    Target("1000x100", "fused", 8),
    Target("mlp", "default", 4),
    Target("mlp", "fused", 1.5),
    Target("resnet18", "default", 4),
)
NOWHERE_SLOWER = Target("*", "fused", stats.NOT_SLOWER, surely=True)


@dataclass(frozen=True, slots=True)
class Row:
    """One optimizer in one case, in microseconds; all but `absent` are None where there is no figure.

    Attributes:
        part: "step", the optimizer's by itself, or "train", a whole training step.
        gradients: "kept", the same tensors at each step, or "new" ones from backward.
        us: of a call, with its 95 % interval.
        speed: its time over ours.
        optimizer_us: what of a training step is the optimizer's.
        at_most: how many times as fast a training step would be if the optimizer took no time (Amdahl).
        targets: whether each that is set for this row is met.
        absent: why it takes no part.

    """

    part: str
    rule: str
    case: str
    threads: int
    gradients: str
    optimizer: str
    us: stats.Interval | None = None
    speed: stats.Interval | None = None
    optimizer_us: float | None = None
    at_most: float | None = None
    targets: dict[str, bool] | None = None
    absent: str = ""


def targets_met(part: str, rule: str, case: str, kind: str, speed: stats.Interval) -> dict[str, bool]:
    """Return the targets that are set for an optimizer in a case, and whether they are met."""
    fitting = [
        each
        for each in TARGETS
        if (part, each.case, each.against) == ("step", case, kind) and rule in ("adam", "adamw")
    ]
    if kind == NOWHERE_SLOWER.against:
        fitting.append(NOWHERE_SLOWER)
    return {each.text: each.is_met(speed) for each in fitting}


def _speed(row: Row | None) -> str:
    return ratio(None if row is None else row.speed, DASH)


def _verdicts(rows: Sequence[Row]) -> str:
    said = [f"{text} {'met' if is_met else 'MISSED'}" for row in rows for text, is_met in (row.targets or {}).items()]
    return ", ".join(said)


def step_head(kinds: Sequence[str]) -> str:
    """Return the head of the table of steps."""
    others = "".join(f"{f'{kind} / ours':>23}" for kind in kinds if kind != "ours")
    return f"{'case':10} {'threads':>7} {'gradients':>9} {'ours us':>10}{others}  targets"


def step_line(rows: Sequence[Row], kinds: Sequence[str]) -> str:
    """Return the line of one case."""
    ours, found = rows[0], {row.optimizer: row for row in rows}
    others = "".join(f"{_speed(found.get(kind)):>23}" for kind in kinds if kind != "ours")
    mid = f"{ours.us.mid:10.2f}" if ours.us else f"{'-':>10}"
    return f"{ours.case:10} {ours.threads:7} {ours.gradients:>9} {mid}{others}  {_verdicts(rows)}".rstrip()


def train_head() -> str:
    """Return the head of the table of training steps."""
    return (
        f"{'model / batch':22} {'threads':>7} {'optimizer':9} {'us':>10} {'its step':>9} {'share':>6} {'at most':>8}"
        f" {'/ ours':>22}  targets"
    )


def train_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of one model."""
    for row in rows:
        if row.us is None or row.optimizer_us is None or row.at_most is None:
            continue
        yield (
            f"{row.case:22} {row.threads:7} {row.optimizer:9} {row.us.mid:10.1f} {row.optimizer_us:9.1f}"
            f" {row.optimizer_us / row.us.mid:6.1%} {row.at_most:7.2f}x {_speed(row):>22}  {_verdicts([row])}"
        ).rstrip()


def endings(rows: Sequence[Row]) -> Iterator[str]:
    """Yield for each target in how many rows it is met, and the row that is furthest from it."""
    targeted = [
        ((row.part, "everywhere" if text == NOWHERE_SLOWER.text else row.case, text), row, is_met)
        for row in rows
        for text, is_met in (row.targets or {}).items()
    ]
    for (part, where, text), group in groupby(sorted(targeted, key=lambda each: each[0]), key=lambda each: each[0]):
        them = list(group)
        met = sum(is_met for _, _, is_met in them)
        # What is nowhere slower begins with the interval's lower end; the others count by its middle.
        worst = min((row for _, row, _ in them), key=attrgetter("speed" if where == "everywhere" else "speed.mid"))
        yield (
            f"{'met' if met == len(them) else 'MISSED':6} {part:5} {where:10} {text:16} in {met} of {len(them)}; least:"
            f" {_speed(worst)}, {worst.case}, {worst.threads} threads, gradients {worst.gradients}"
        )


def reasons(rows: Sequence[Row]) -> Iterator[str]:
    """Yield why optimizers took no part, each reason once, with the cases if not all."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.absent:
            found.setdefault((row.optimizer, row.absent), []).append(row.case)
    present = {row.optimizer for row in rows if row.us}
    for (kind, reason), cases in found.items():
        where = f" ({', '.join(dict.fromkeys(cases))})" if kind in present else ""
        yield f"{kind}{where}: {reason}"
