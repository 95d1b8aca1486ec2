"""The kit itself: who passes, what is not applicable and says so, and how it is used."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trainstation as ts
from trainstation.optimizers import Adam, Optimizer
from trainstation.testing import CHECKS, check_optimizer, parametrize_with_checks
from trainstation.testing.checks.learning import PROBLEMS
from trainstation.testing.runs import difference

# Between them, every rule of the core.
BUILT_IN = [
    ("adam", {}),
    ("adam", {"amsgrad": True}),
    ("adamw", {}),
    ("adamw", {"amsgrad": True}),
    ("sgd", {}),
    ("sgd", {"momentum": 0.9, "dampening": 0.3}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("rmsprop", {}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"momentum": 0.9}),
    ("rmsprop", {"centered": True, "momentum": 0.9}),
]


@pytest.mark.parametrize(("name", "options"), BUILT_IN, ids=lambda each: each if isinstance(each, str) else [*each])
def test_built_ins_pass_with_every_check_applicable(name, options):
    results = check_optimizer(name, **options)
    assert [result.check for result in results] == [check.name for check in CHECKS]
    assert {result.status for result in results} == {"ok"}
    assert not any(result.detail for result in results if result.check != "groups")


class Plain(Optimizer):
    """Steps along the gradient, each shorter than the last, with nothing that is not needed.

    Args:
        params: what to step; only matrices.
        rate: how long the first one is.

    """

    def __init__(self, params=None, rate=0.3):
        super().__init__(params, {"rate": rate})

    def validate(self, hyper):
        super().validate(hyper)
        if any(p.data.ndim != 2 for p in hyper.get("params", ())):
            msg = "Plain takes matrices only"
            raise ValueError(msg)

    def scalars(self, hyper, t):
        return (hyper["rate"] / t**0.5,)

    def update(self, p, g, state, scalars):
        p -= scalars[0] * g / max(np.sqrt((g * g).sum()), 1e-12)


def test_what_is_not_applicable_says_why():
    results = {result.check: result for result in check_optimizer(Plain) if result.status != "ok"}
    assert {name: result.detail for name, result in results.items()} == {
        "nonfinite_gradients": "it takes no on_nonfinite",
        "weight_decay": "it has no weight_decay",
        "zero_learning_rate": "it has no lr",
        "compiled_rule": "it names no compiled rule",
    }
    assert {result.status for result in results.values()} == {"not applicable"}
    [shapes] = [result for result in check_optimizer(Plain) if result.check == "odd_shapes"]
    assert shapes.detail == "refuses 0-d, 1-d, 3-d parameters: Plain takes matrices only"


class Signs(Plain):
    """Goes along the signs, by lr at the first step and by what is left of it afterwards.

    Args:
        lr: of the first step.

    """

    states = ("size",)

    def __init__(self, params=None, lr=0.05):
        Optimizer.__init__(self, params, {"lr": lr})

    def scalars(self, hyper, t):
        return hyper["lr"] if t == 1 else 0.0, 0.98

    def update(self, p, g, state, scalars):
        first, keep = scalars
        size = state["size"]
        size[...] = keep * size + first
        p -= size * np.sign(g)


def test_a_rate_that_counts_once_and_gradients_of_which_only_signs_count_are_no_faults():
    results = {result.check: result for result in check_optimizer(Signs)}
    assert results["zero_learning_rate"].detail == "its lr matters at the first step of a parameter only"
    assert results["double_precision"].detail.startswith("of gradients only signs count")


class Coupled(Plain):
    """Steps along all gradients together, by lr.

    Args:
        lr: how long a step is.

    """

    def __init__(self, params=None, lr=0.05):
        Optimizer.__init__(self, params, {"lr": lr})
        self._length = 1.0

    def prepare(self, active):
        self._length = float(np.sqrt(sum((p.grad.data**2).sum() for p in active))) or 1.0

    def scalars(self, hyper, t):
        return (hyper["lr"] / self._length,)

    def update(self, p, g, state, scalars):
        p -= scalars[0] * g


def test_parameters_that_depend_on_each_other_through_prepare_are_no_fault():
    results = {result.check: result for result in check_optimizer(Coupled)}
    assert "counters were compared" in results["late_parameters"].detail


def test_a_rule_that_is_not_compiled_here_is_said():
    cls = type("Uncompiled", (Adam,), {"rule": "no_such_rule", "__doc__": "Adam, without its library."})
    [rule] = [result for result in check_optimizer(cls) if result.check == "compiled_rule"]
    assert (rule.status, rule.detail) == (
        "not applicable",
        "its rule 'no_such_rule' is not compiled in this installation",
    )


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_problems_have_their_gradients_and_need_a_way_down(problem):
    values = [start + 0.1 for start in problem.start]
    _, gradients = problem.evaluate(values)
    for value, gradient in zip(values, gradients, strict=True):
        for place in np.ndindex(value.shape):
            kept = value[place]
            ends = []
            for step in (1e-6, -1e-6):
                value[place] = kept + step
                ends.append(problem.evaluate(values)[0])
            value[place] = kept
            assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(gradient[place], rel=1e-5, abs=1e-6)
    assert problem.evaluate(list(problem.start))[0] > 4 * problem.enough


def test_a_wrong_name_or_class_is_an_error_of_the_caller():
    with pytest.raises(ts.UnknownOptimizerError, match="adamm"):
        check_optimizer("adamm")
    with pytest.raises(TypeError, match="int is no subclass"):
        check_optimizer(int)


@pytest.mark.parametrize(
    ("found", "expected", "text"),
    [
        ({"a": [np.ones(2), 3]}, {"a": [np.ones(2), 3]}, ""),
        ({"a": 1}, {"b": 1}, "one has ['a'], not ['b']"),
        ({"a": [1, 2]}, {"a": [1]}, "['a'] has 2 entries, not 1"),
        ({"a": 1}, {"a": 1.0}, "['a'] is 1, not 1.0"),
        (np.array([0.0]), np.array([-0.0]), " differs by 0"),
        (np.array([np.nan, 1]), np.array([-np.nan, 1]), ""),
        (np.array([np.nan, 1]), np.array([1, np.nan]), " has a NaN where the other has none"),
        (np.zeros(2), np.zeros((2, 1)), " is float64 of shape (2,), not float64 of shape (2, 1)"),
        (np.zeros(1, np.uint8), np.ones(1, np.uint8), " differs"),
        (ts.tensor([1.0]), ts.tensor([3.0]), " differs by 2"),
    ],
)
def test_differences(found, expected, text):
    assert difference(found, expected) == text


def test_parametrize_with_checks_makes_a_test_of_each_optimizer_and_check():
    mark = parametrize_with_checks(["lion", Adam, ("sgd", {"momentum": 0.9})]).mark
    assert [each.id for each in mark.args[1]] == [
        f"{label}-{check.name}" for label in ("lion", "Adam", "sgd:momentum=0.9") for check in CHECKS
    ]


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from broken.arithmetic import Uphill
from broken.bookkeeping import HiddenState
from broken.right import Right
from trainstation.testing import parametrize_with_checks

@parametrize_with_checks([Right, Uphill, HiddenState, "no_such_name"])
def test_conforms(check):
    check()
"""


def test_its_tests_pass_fail_and_are_skipped(tmp_path):
    path = tmp_path / "test_conforms.py"
    path.write_text(PROGRAM.format(tests=str(Path(__file__).parents[1])))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=short", "-c", "/dev/null", path]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path).stdout
    for text in (
        "PASSED test_conforms.py::test_conforms[Right-writes_no_gradient]",
        "FAILED test_conforms.py::test_conforms[Uphill-converges]",
        "FAILED test_conforms.py::test_conforms[HiddenState-resume]",
        "FAILED test_conforms.py::test_conforms[no_such_name-docstring]",
        "CheckError: in 400 steps, ",
        "UnknownOptimizerError: unknown optimizer 'no_such_name'",
        "not applicable: it names no compiled rule",
        "not run: it rests on resume, which is not ok",
        f"= {len(CHECKS) + 2} failed, {3 * len(CHECKS) - 6} passed, 4 skipped in ",
    ):
        assert text in said, said


def test_the_import_is_light():
    code = "import sys, trainstation.testing; print({'torch', 'pytest', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
