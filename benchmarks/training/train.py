"""A whole training step, forward, backward and Adam: ours beside torch eager in its best configuration."""

from __future__ import annotations

import fnmatch
import gc
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from time import perf_counter_ns
from typing import Any

import click
import numpy as np

import trainstation as ts
from benchmarks.training.models import MODELS, Model
from trainstation.bench import stats
from trainstation.bench.speed.timing import Contender, measure
from trainstation.gradtrack import Node

STEPS = 20  # over which the losses must agree
CLOSE = 1e-4  # relative
SECONDS, QUICK = 40.0, 6.0  # for each model
REST = 0.03  # OpenMP's threads spin after torch's calls
KINDS = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}
PHASES = 300  # steps that are timed in parts
CHAIN = 64


@dataclass(frozen=True, slots=True)
class Result:
    """Microseconds a step. `speed`: torch's time over ours, with its 95 % interval; `torch_best` names what was best.

    `python` is what recording and running `operations` operations costs where they compute next to nothing.
    """

    model: str
    step: float
    torch: float
    torch_best: str
    speed: stats.Interval
    target: float
    forward: float
    backward: float
    optimizer: float
    operations: int
    python: float


class Ours:
    """A model of ours, its data and its optimizer."""

    def __init__(self, model: Model) -> None:
        ts.manual_seed(0)
        self.net = model.ours()
        self.optimizer = ts.optimizers.Adam(self.net.parameters())
        self.take(*model.data(0))

    def take(self, inputs: Any, targets: Any) -> None:
        """Train on this batch from now on."""
        self.inputs, self.targets = ts.tensor(inputs), ts.tensor(targets)

    def forward(self) -> Any:
        """Return the loss, recorded."""
        scores = self.net(self.inputs)
        return ts.nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), self.targets)

    def step(self) -> Any:
        """Train one step; return the loss."""
        self.optimizer.zero_grad()
        loss = self.forward()
        loss.backward()
        self.optimizer.step()
        return loss

    def phases(self) -> tuple[float, float, float]:
        """Return the median microseconds of forward, backward, and the optimizer's step and zero_grad."""
        marks = np.empty((PHASES, 5))
        for row in marks:
            row[0] = perf_counter_ns()
            self.optimizer.zero_grad()
            row[1] = perf_counter_ns()
            loss = self.forward()
            row[2] = perf_counter_ns()
            loss.backward()
            row[3] = perf_counter_ns()
            self.optimizer.step()
            row[4] = perf_counter_ns()
        cleared, forward, backward, stepped = np.median(np.diff(marks), axis=0) / 1e3
        return forward, backward, stepped + cleared

    def operations(self) -> int:
        """Count the operations that one step records."""
        before = _nodes()
        _loss, after = self.forward(), _nodes()  # the loss holds its nodes while they are counted
        return after - before


def _nodes() -> int:
    """Count the recorded operations that are alive."""
    return sum(isinstance(each, Node) for each in gc.get_objects())


class Torchs:
    """The same in torch, with one of its ways to step and a number of threads."""

    def __init__(self, model: Model, ours: Ours, kind: str, threads: int) -> None:
        import torch

        self._torch, self._threads = torch, threads
        self.net = model.torchs()
        with torch.no_grad():
            theirs, mine = dict(self.net.named_parameters()), dict(ours.net.named_parameters())
            if {name: tuple(p.shape) for name, p in theirs.items()} != {name: p.shape for name, p in mine.items()}:
                sys.exit(f"{model.name}: the two models have other parameters: {sorted(theirs)} and {sorted(mine)}")
            for name, parameter in theirs.items():
                parameter.copy_(torch.from_numpy(mine[name].numpy().copy()))
        self.optimizer = torch.optim.Adam(self.net.parameters(), **KINDS[kind])
        self.take(*model.data(0))

    def take(self, inputs: Any, targets: Any) -> None:
        """Train on this batch from now on."""
        self.inputs, self.targets = self._torch.from_numpy(inputs), self._torch.from_numpy(targets)

    def step(self) -> Any:
        """Train one step; return the loss."""
        if self._torch.get_num_threads() != self._threads:
            self._torch.set_num_threads(self._threads)
        self.optimizer.zero_grad()
        scores = self.net(self.inputs)
        loss = self._torch.nn.functional.cross_entropy(scores.view(-1, scores.shape[-1]), self.targets)
        loss.backward()
        self.optimizer.step()
        return loss


def overhead() -> float:
    """Return what an operation costs, forward and backward, beyond NumPy's arithmetic, in microseconds."""
    one, more = ts.tensor([1.0], requires_grad=True), np.ones(1, np.float32)

    def recorded() -> None:
        value: Any = one
        for _ in range(CHAIN):
            value = value + more
        value.backward()

    def plain() -> None:
        value = more
        for _ in range(CHAIN):
            value = value + more

    timings = measure([Contender("recorded", recorded), Contender("plain", plain)], seconds=1.0)
    middle = {name: stats.interval(timing.samples).mid for name, timing in timings.items()}
    return (middle["recorded"] - middle["plain"]) / CHAIN / 1e3


def compare(model: Model, seconds: float, threads: Sequence[int], say: Callable[[str], None]) -> Result:
    """Check that both libraries train alike, then time them against each other."""
    ours = Ours(model)
    first = Torchs(model, ours, "default", max(threads))
    losses = []
    for seed in range(STEPS):  # another batch each, or the losses would fall to nothing, and with them what differs
        for each in (ours, first):
            each.take(*model.data(seed))
        losses.append((ours.step().item(), first.step().item()))
    ours.take(*model.data(0))
    apart = max(abs(one / other - 1) for one, other in losses)
    if apart > CLOSE:
        sys.exit(f"{model.name}: the losses of {STEPS} steps differ by {apart:.1e}: {losses}")
    say(f"{model.name}: losses of {STEPS} steps within {apart:.0e}; {losses[0][0]:.4f} -> {losses[-1][0]:.4f}")
    contenders = [Contender("ours", ours.step)]
    for kind, count in product(KINDS, threads):
        contenders.append(Contender(f"{kind}, {count} threads", Torchs(model, ours, kind, count).step))
    timings = measure(contenders, seconds=seconds, rest=REST)
    mine = timings.pop("ours").samples
    best = min(timings, key=lambda name: stats.interval(timings[name].samples).mid)
    forward, backward, stepped = ours.phases()
    operations = ours.operations()
    return Result(
        model.name,
        stats.interval(mine).mid / 1e3,
        stats.interval(timings[best].samples).mid / 1e3,
        best,
        stats.ratio(timings[best].samples, mine),
        model.target,
        forward,
        backward,
        stepped,
        operations,
        operations * overhead(),
    )


@click.command("train")
@click.option("--only", default="*", show_default=True, help="Models by name or glob.")
@click.option("--quick", is_flag=True, help="Fewer samples.")
@click.option("--threads", default="1,2", show_default=True, help="Of torch: the best is taken.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout, nothing else there.")
def main(only: str, quick: bool, threads: str, as_json: bool) -> None:
    """A training step of models: trainstation and torch, and where our time goes."""
    chosen = [model for model in MODELS if fnmatch.fnmatch(model.name, only)]
    if not chosen:
        msg = f"no model is called {only!r}; there are {', '.join(model.name for model in MODELS)}"
        raise click.UsageError(msg)
    say = partial(click.echo, err=True)
    if not as_json:
        click.echo(
            f"{'model':22} {'ours us':>8} {'torch us':>9} {'speed':>19} {'goal':>5}"
            f" {'forward':>8} {'backward':>8} {'step':>6} {'Python':>14}  torch's best"
        )
    for model in chosen:
        result = compare(model, QUICK if quick else SECONDS, [int(n) for n in threads.split(",")], say)
        if as_json:
            click.echo(json.dumps(asdict(result)))
            continue
        low, middle, high = result.speed
        click.echo(
            f"{result.model:22} {result.step:8.0f} {result.torch:9.0f} {middle:5.2f} [{low:.2f}, {high:.2f}]"
            f" {result.target:4.1f}x {result.forward:8.0f} {result.backward:8.0f} {result.optimizer:6.0f}"
            f" {result.python:6.0f} ({result.operations} op)  {result.torch_best}"
        )
