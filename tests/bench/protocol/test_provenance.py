"""A hash of code changes with what the code does, and with nothing else."""

import importlib.util
import sys

import pytest

from trainstation.bench.problems import Problem
from trainstation.bench.protocol.provenance import code_hash, meaning, problem_version

CODE = '''
"""An optimizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trainstation.optimizers import Optimizer
from trainstation.optimizers.elementwise import flush as cleared
from trainstation.optimizers.elementwise import l2, sign

LIMIT: float = 3.0


@dataclass
class Setting:
    """What is set."""

    lr: float
    beta: float = 0.9
    if LIMIT > 2:
        eps: float = 1e-8


class Follower(Optimizer):
    """Follows."""

    def __init__(self, params: object = None, lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    def scalars(self, hyper: dict, t: int) -> tuple[float, ...]:
        """Return the rate."""
        rate: float = min(hyper["lr"], LIMIT)
        return (rate * 2,)  # twice

    def update(self, p, g, state, scalars) -> None:
        p -= scalars[0] * sign(l2(p, cleared(g), 0.5))
'''

SAME = {
    "moved modules": (
        "elementwise import flush as cleared\nfrom trainstation.optimizers.elementwise import l2, sign",
        "meanings import l2\nfrom trainstation.arrays.signs import sign, flush as cleared",
    ),
    "an import of a module by its path": (
        "from trainstation.optimizers import Optimizer",
        "import trainstation.optimizers.anywhere.Optimizer as Optimizer",
    ),
    "layout": ("(rate * 2,)  # twice", "(\n            rate * 2,\n        )"),
    "a docstring": ('"""Return the rate."""', '"""Return something else."""'),
    "no docstring": ('    """Follows."""\n', ""),
    "annotations of arguments": ("hyper: dict, t: int", "hyper, t: float"),
    "the annotation of a result": (") -> tuple[float, ...]:", "):"),
    "the annotation of a variable": ("rate: float = min", "rate = min"),
    "a module's annotation": ("LIMIT: float = 3.0", "LIMIT = 3.0"),
    "another type of a field": ("lr: float\n", "lr: int | float\n"),
}
OTHER = {
    "a constant": ("rate * 2", "rate * 3"),
    "an operator": ("rate * 2", "rate / 2"),
    "a call": ("min(hyper", "max(hyper"),
    "an imported name": ("import l2, sign", "import l1, sign"),
    "the name that an import gives": ("flush as cleared", "flush as clear"),
    "an import from elsewhere": ("import numpy as np", "import numpy.ma as np"),
    "a field less": ("    lr: float\n", ""),
    "a field's name": ("lr: float\n", "rate: float\n"),
    "a field's default": ("beta: float = 0.9", "beta: float = 0.8"),
    "what was a field": ("beta: float = 0.9", "beta = 0.9"),
    "what was a field in a branch": ("eps: float = 1e-8", "eps = 1e-8"),
    "the order of fields": ("    lr: float\n    beta: float = 0.9", "    beta: float = 0.9\n    lr: float"),
    "an argument's default": ("lr: float = 1e-3", "lr: float = 1e-2"),
    "a string that is no docstring": ('{"lr": lr}', '{"rate": lr}'),
    "a class's name": ("Follower", "Leader"),
}


def changed(old, new):
    assert CODE.count(old) == 1, old
    return CODE.replace(old, new)


@pytest.mark.parametrize("what", SAME)
def test_what_says_the_same_has_the_same_meaning(what):
    assert meaning(changed(*SAME[what])) == meaning(CODE)


@pytest.mark.parametrize("what", OTHER)
def test_what_says_something_else_has_another_meaning(what):
    assert meaning(changed(*OTHER[what])) != meaning(CODE)


def test_a_meaning_is_a_program_of_the_same_meaning():
    assert meaning(meaning(CODE)) == meaning(CODE)
    compile(meaning('def f():\n    "Nothing."\n    x: int'), "here", "exec")


def loaded(path, text):
    """Import a text as a module of the name of its file."""
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def load(tmp_path):
    names = set(sys.modules)
    yield lambda name, text: loaded(tmp_path / f"{name}.py", text)
    for name in set(sys.modules) - names:
        del sys.modules[name]


def test_a_class_keeps_its_hash_in_another_module(load):
    here, there = load("a_place", CODE), load("another_place", CODE)
    other = load("a_third_place", changed("rate * 2", "rate * 3"))
    assert code_hash(here.Follower) == code_hash(there.Follower) != code_hash(other.Follower)
    assert code_hash(here.Follower) != code_hash(type("Heir", (here.Follower,), {}))


def test_a_problem_keeps_its_version_in_another_module(load):
    def version(name, text="def start(seed):\n    return seed * 2\n", **changes):
        start = load(name, text).start
        return problem_version(
            Problem(**({"name": "one"} | changes), summary="", metric="loss", steps_per_epoch=1, start=start)
        )

    first = version("problem_here")
    assert version("problem_there") == first
    assert version("problem_described", "def start(seed: int) -> int:\n    return seed * 2  # twice\n") == first
    assert version("problem_changed", "def start(seed):\n    return seed * 3\n") != first
    assert version("problem_with_a_budget", budget=7) != first
