"""What optimizers are compared on. A problem starts tasks; the same seed starts the same task for every optimizer."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from functools import cache

from trainstation.bench.problems import images, synthetic, tables, text
from trainstation.bench.problems.data import DATA, mnist_5k, shakespeare
from trainstation.bench.problems.images import MnistMLP
from trainstation.registry.lookup import list_problems
from trainstation.registry.problem import Problem, Task

# By which pickles of former versions name it.
sys.modules[f"{__name__}.problem"] = sys.modules[Problem.__module__]

__all__ = ["BUILTIN", "MnistMLP", "Problem", "Task", "find_problems", "mnist_5k", "shakespeare"]


@cache
def _targets() -> dict[str, float]:
    """Return the metrics to reach, as `python -m benchmarks targets` has set them."""
    committed = json.loads((DATA / "targets.json").read_text(encoding="utf-8"))
    return {name: each["target"] for name, each in committed.items()}


# The default one first.
FAMILIES = [*images.PROBLEMS[:1], *tables.PROBLEMS, *synthetic.PROBLEMS, *images.PROBLEMS[1:], *text.PROBLEMS]
BUILTIN = {problem.name: replace(problem, target=_targets().get(problem.name)) for problem in FAMILIES}


def find_problems() -> dict[str, Problem]:
    """Return all problems by name, the built-ins first; `distribution/name` is a plugin's if others have that name."""
    given = list_problems()
    names = Counter([*BUILTIN, *(problem.name for problem, _ in given)])
    found = dict(BUILTIN)
    for problem, distribution in given:
        name = f"{distribution}/{problem.name}" if names[problem.name] > 1 else problem.name
        found[name] = replace(problem, name=name)
    return found
