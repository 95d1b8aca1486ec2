"""Who takes part in `torch`: our class, torch's own in all its ways to step, DeepSpeed's; with the same settings."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import Any

import torch

import trainstation as ts
from trainstation.bench.speed.cases import Shapes
from trainstation.interop import torch as bridge

# The class, and the settings that all get; sgd is of interest with its momentum.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "adam": ("Adam", {"weight_decay": 0.0}),
    "adamw": ("AdamW", {"weight_decay": 0.01}),
    "sgd": ("SGD", {"momentum": 0.9}),
    "rmsprop": ("RMSprop", {}),
}
FLAGS: dict[str, dict[str, bool]] = {
    "default": {},  # on a CPU that is the loop over tensors, foreach=False
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "compiled": {},
}
KINDS = ("ours", *FLAGS, "deepspeed")
DEEPSPEED = "not installed: DS_BUILD_OPS=0 pip install --no-build-isolation ninja py-cpuinfo deepspeed"

# In torch's own process: its pool of compilers would take processors from what is timed.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")


def set_threads(count: int) -> None:
    """Give both libraries so many threads."""
    ts.set_num_threads(count)
    torch.set_num_threads(count)


def absent(rule: str, compile_seconds: float) -> dict[str, str]:
    """Return who cannot take part in any case, and why."""
    name, _ = RULES[rule]
    reasons = {}
    if "fused" not in signature(getattr(torch.optim, name)).parameters:
        reasons["fused"] = f"torch.optim.{name} has no fused"
    if not compile_seconds:
        reasons["compiled"] = "left out: see --compile"
    if not name.startswith("Adam"):
        reasons["deepspeed"] = f"DeepSpeed has no {name} for CPUs"
    elif find_spec("deepspeed") is None:
        reasons["deepspeed"] = DEEPSPEED
    return reasons


def make(kind: str, rule: str, parameters: Iterable[Any], lr: float) -> tuple[Any, Callable[[], object]]:
    """Return an optimizer, and the call that is its step."""
    name, settings = RULES[rule]
    if kind == "ours":
        optimizer = getattr(bridge, name)(parameters, lr=lr, **settings)
    elif kind == "deepspeed":
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        optimizer = DeepSpeedCPUAdam(parameters, lr=lr, adamw_mode=rule == "adamw", **settings)
    elif kind == "compiled":
        # A rate in a tensor, as torch advises: a number would be compiled in, and another one compile anew.
        optimizer = getattr(torch.optim, name)(parameters, lr=torch.tensor(lr), **settings)
        return optimizer, torch.compile(lambda: optimizer.step(), dynamic=False)  # noqa: PLW0108  # traced from here
    else:
        optimizer = getattr(torch.optim, name)(parameters, lr=lr, **settings, **FLAGS[kind])
    return optimizer, optimizer.step


class Tensors:
    """Parameters of some shapes, with gradients as backward makes them, and an optimizer."""

    def __init__(self, kind: str, rule: str, shapes: Shapes) -> None:
        """Draw them, the same ones for every kind: 0.02 is what weights begin with, 1e-3 is what gradients are like."""
        random = torch.Generator().manual_seed(0)
        self.parameters = [torch.nn.Parameter(0.02 * torch.randn(each, generator=random)) for each in shapes]
        self._sources = [1e-3 * torch.randn(each, generator=random) for each in shapes]
        self.optimizer, self.step = make(kind, rule, self.parameters, 1e-3)
        self.renew()

    def renew(self) -> None:
        """Replace all gradients by new ones: autograd's own, in new memory, which Python has not seen yet."""
        self.optimizer.zero_grad()
        torch.autograd.backward(self.parameters, self._sources)


@cache
def why_not_compiled(rule: str, shapes: Shapes, threads: int, seconds: float) -> str:
    """Return why torch.compile gives no step in this time, or "": it does, and will find it in its cache.

    It is tried in a process of its own, which can be ended with all its compilers.
    """
    with Popen(
        [sys.executable, "-m", "benchmarks.torch.entrants"],
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=PIPE,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(json.dumps([rule, shapes, threads]), timeout=seconds)
        except TimeoutExpired:
            return f"torch.compile has no step of {len(shapes)} tensors after {seconds:g} s"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return f"torch.compile: {said.strip().splitlines()[-1]}" if process.returncode else ""


def _compile(rule: str, shapes: Sequence[Sequence[int]], threads: int) -> None:
    set_threads(threads)
    tensors = Tensors("compiled", rule, tuple(map(tuple, shapes)))
    for _ in range(2):  # the first makes the states
        tensors.step()


if __name__ == "__main__":
    _compile(*json.load(sys.stdin))
