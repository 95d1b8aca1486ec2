"""What optimizers are compared on. A problem starts tasks; the same seed starts the same task for every optimizer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from trainstation import plugins
from trainstation.bench.problems import images
from trainstation.bench.problems.data import mnist_5k, shakespeare
from trainstation.bench.problems.images import MnistMLP
from trainstation.bench.problems.problem import Problem, Task

__all__ = ["BUILTIN", "MnistMLP", "Problem", "Task", "find_problems", "mnist_5k", "shakespeare"]

BUILTIN = {problem.name: problem for problem in [*images.PROBLEMS]}


def find_problems() -> dict[str, Problem]:
    """Return all problems by name, the built-ins first; `distribution/name` is a plugin's if others have that name."""
    given = plugins.list_problems(Problem)
    names = Counter([*BUILTIN, *(problem.name for problem, _ in given)])
    found = dict(BUILTIN)
    for problem, distribution in given:
        name = f"{distribution}/{problem.name}" if names[problem.name] > 1 else problem.name
        found[name] = replace(problem, name=name)
    return found
