"""Our optimizers of torch's parameters, beside torch's own: the step by itself, and in the training of models.

Gradients are of two kinds, each timed by itself. "new": before each step backward gives all parameters new gradients,
as after `zero_grad()`; this is not timed for any, and is autograd's own way to do so, so that what an optimizer
pays for a gradient that it has not seen is in its time. "kept": the same gradients at each step, as after
`zero_grad(set_to_none=False)`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from fnmatch import fnmatch
from functools import partial
from importlib.util import find_spec
from itertools import product
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from benchmarks.torch.report import Row, endings, reasons, step_head, step_line, train_head, train_lines
from trainstation.bench import machine
from trainstation.bench.speed.cases import Case, make_cases, parse_threads
from trainstation.bench.words import size_name

if TYPE_CHECKING:
    from benchmarks.torch.models import Model
    from benchmarks.torch.runs import Plan

SIZES = [2**10, 2**14, 2**17, 2**20, 2**24]
NAMES = ["mlp", "lenet", "resnet18", "1000x100"]
LONG = ["gpt2"]
RULES = ("adam", "adamw", "sgd", "rmsprop")
COMPILE_SECONDS = 60.0
QUICK = 5  # times as quick


def _threads(_: click.Context, __: click.Parameter, text: str) -> list[int]:
    try:
        return parse_threads(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("torch")
@click.option("--rule", type=click.Choice(RULES), default="adamw", show_default=True)
@click.option("--only", default="*", show_default=True, metavar="GLOB", help="Cases and models by name.")
@click.option(
    "--threads", default=f"1,{machine.cores()}", callback=_threads, show_default=True, help="Of both libraries."
)
@click.option("--all", "everything", is_flag=True, help="GPT-2 too, and ResNet-18 on images of 3x224x224.")
@click.option("--quick", is_flag=True, help="Fewer samples, and torch.compile only if --compile is given.")
@click.option(
    "--compile",
    "compile_seconds",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help=f"How long torch.compile may take for one case; 0: leave it out.  [default: {COMPILE_SECONDS:.0f}]",
)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines on stdout, nothing else there.")
def main(
    rule: str,
    only: str,
    threads: list[int],
    everything: bool,
    quick: bool,
    compile_seconds: float | None,
    as_json: bool,
) -> None:
    """Our optimizers of torch parameters against torch's own and DeepSpeed's: the step, and a training step."""
    if find_spec("torch") is None:
        msg = 'torch is not installed: pip install "torch>=2.13" --index-url https://download.pytorch.org/whl/cpu'
        raise click.ClickException(msg)
    from benchmarks.torch.entrants import absent
    from benchmarks.torch.runs import Plan

    cases, models = _choose(only, threads, everything=everything)
    if compile_seconds is None:
        compile_seconds = 0.0 if quick else COMPILE_SECONDS
    say = partial(click.echo, err=True)
    plan = Plan(rule, absent(rule, compile_seconds), compile_seconds, QUICK if quick else 1, say)
    tell = partial(click.echo, file=sys.stdout)
    # DeepSpeed speaks on stdout. torch.compile begins with an empty cache, and waits for no other process's locks.
    with redirect_stdout(sys.stderr), TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        rows = _step_part(plan, cases, tell, as_json=as_json)
        rows += _train_part(plan, models, threads, tell, as_json=as_json)
        if not as_json:
            tell("\n".join(["", *reasons(rows), "", *endings(rows)]))


def _choose(only: str, threads: Sequence[int], *, everything: bool) -> tuple[list[Case], list[Model]]:
    """Return the cases and the models with such a name; refuse one that nothing has."""
    from benchmarks.torch.models import MODELS

    names = [*NAMES, *(LONG if everything else [])]
    models = [model for model in MODELS if everything or not model.takes_long]
    cases = [each for each in make_cases(SIZES, names, threads, ["warm"], "float32") if fnmatch(each.name, only)]
    chosen = [model for model in models if fnmatch(model.name, only)]
    if not cases and not chosen:
        there = [*map(size_name, SIZES), *names, *(model.name for model in models)]
        msg = f"nothing is called {only!r}; there are {', '.join(there)}"
        raise click.UsageError(msg)
    return cases, chosen


def _step_part(plan: Plan, cases: Sequence[Case], tell: Callable[[str], None], *, as_json: bool) -> list[Row]:
    import torch

    from benchmarks.torch.entrants import KINDS
    from benchmarks.torch.runs import steps

    kinds = [kind for kind in KINDS if kind not in plan.absent]
    if cases and not as_json:
        where = f"torch {torch.__version__}, {machine.cpu_model()}, {machine.cores()} cores"
        tell(f"The step of {plan.rule} by itself, float32; {where}\n{step_head(kinds)}")
    rows = []
    for case in cases:
        plan.say(f"{case.name}, {case.threads} threads")
        for new in steps(plan, case):
            rows += new
            tell(_json_lines(new) if as_json else step_line(new, kinds))
    return rows


def _train_part(
    plan: Plan, models: Sequence[Model], threads: Sequence[int], tell: Callable[[str], None], *, as_json: bool
) -> list[Row]:
    from benchmarks.torch.runs import trains

    if models and not as_json:
        tell(f"\nA whole training step with {plan.rule}; at most: were the optimizer's step free\n{train_head()}")
    rows = []
    for model, count in product(models, threads):
        plan.say(f"{model.name}, {count} threads")
        new = trains(plan, model, count)
        rows += new
        tell(_json_lines(new) if as_json else "\n".join(train_lines(new)))
    return rows


def _json_lines(rows: Sequence[Row]) -> str:
    return "\n".join(json.dumps(asdict(row)) for row in rows)
