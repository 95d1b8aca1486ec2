import importlib
import itertools
import json
import math
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from trainstation.bench.problems import BUILTIN, data, tables
from trainstation.bench.protocol import provenance
from trainstation.bench.protocol.provenance import code_hash, meaning, problem_version
from trainstation.create import create_optimizer
from trainstation.optimizers import SGD, Adam, AdamW

SMALL = [name for name in BUILTIN if name != "gpt_shakespeare"]


@pytest.fixture(autouse=True)
def one_blas_thread():
    with threadpool_limits(1):
        yield


def train(task, steps):
    """Train a little; the losses."""
    optimizer = create_optimizer("adamw", task.parameters(), lr=3e-3)
    losses = []
    for batch in itertools.islice(itertools.chain.from_iterable(task.epoch() for _ in itertools.count()), steps):
        optimizer.zero_grad()
        loss = task.loss(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", BUILTIN)
def test_a_seed_starts_one_task(name):
    steps = 1 if name == "gpt_shakespeare" else 3
    one, same, other = (BUILTIN[name].start(seed) for seed in (1, 1, 2))
    assert [a.data.tobytes() for a in one.parameters()] == [b.data.tobytes() for b in same.parameters()]
    assert [a.data.tobytes() for a in one.parameters()] != [b.data.tobytes() for b in other.parameters()]
    losses = train(one, steps)
    assert losses == train(same, steps)
    assert losses != train(other, steps)
    assert [a.data.tobytes() for a in one.parameters()] == [b.data.tobytes() for b in same.parameters()]


@pytest.mark.parametrize("name", SMALL)
def test_training_betters_the_metric(name):
    problem = BUILTIN[name]
    task = problem.start(0)
    before = task.evaluate()
    assert task.evaluate() == before
    train(task, 40)
    assert math.isfinite(before)
    assert problem.better(task.evaluate(), before)


@pytest.mark.parametrize("name", BUILTIN)
def test_an_epoch_has_as_many_steps_as_are_said(name):
    problem = BUILTIN[name]
    task = problem.start(0)
    one, two = (list(task.epoch()) for _ in range(2))
    assert len(one) == len(two) == problem.steps_per_epoch
    assert not all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(one, two, strict=True))


def test_the_logistic_regression_is_judged_by_its_least_objective():
    first, least = tables._least()
    task = BUILTIN["logreg_cancer"].start(0)
    weights, speed = np.zeros(31), np.zeros(31)
    for _ in range(1500):  # gradient descent with momentum gets there, too
        speed = 0.98 * speed - 0.1 * tables._logistic(weights)[1]
        weights += speed
    assert tables._logistic(weights)[0] == pytest.approx(least, rel=1e-9)
    for parameter, values in zip(task.parameters(), (weights[None, :30], weights[30:]), strict=True):
        parameter.data[...] = values
    assert 0 <= task.evaluate() < 1e-5
    for parameter in task.parameters():
        parameter.data[...] = 0
    assert task.evaluate() == pytest.approx(1)
    whole = task.loss(np.arange(569)).item()
    assert whole == pytest.approx(first, rel=1e-6)


def test_the_quadratics_least_value_is_at_0():
    task = BUILTIN["quadratic"].start(3)
    task.w.data[...] = 0
    assert task.evaluate() == 0
    task.w.data[...] = 1e-3
    assert task.evaluate() > 0


def test_targets_are_of_the_problems_as_they_are():
    committed = json.loads((data.DATA / "targets.json").read_text(encoding="utf-8"))
    assert set(committed) == set(BUILTIN)
    for name, problem in BUILTIN.items():
        assert committed[name]["problem_version"] == problem_version(problem), name
        assert problem.target == committed[name]["target"]
        if "finals" in committed[name]:  # of two optimizers, half of the runs that have set it reach it
            reached = [
                np.mean([not problem.better(problem.target, final) for final in finals]) >= 0.5
                for finals in committed[name]["finals"].values()
            ]
            assert sum(reached) >= 2


def test_a_hash_is_of_what_a_program_does():
    code = "def f(x):\n    return 2 * x\n"
    same = 'def f( x ):  # twice\n    "Twice."\n    return (2 *\n    x)\n'
    assert meaning(code) == meaning(same)
    assert meaning(code) != meaning(code.replace("2", "3"))
    assert meaning('class A:\n    "Nothing."\n') == meaning("class A:\n    pass\n")


def test_hashes_tell_apart():
    assert len({code_hash(cls) for cls in (Adam, AdamW, SGD)}) == 3
    assert len({problem_version(problem) for problem in BUILTIN.values()}) == len(BUILTIN)
    namespace = {"Adam": Adam}
    exec("class Typed(Adam): pass\nclass Other(Adam): pass", namespace)  # an interpreter keeps no source
    assert code_hash(namespace["Typed"]) != code_hash(namespace["Other"])


OPTIMIZER = """
from trainstation.optimizers import Adam

def twice(x):
    return 2 * x

class Mine(Adam):
    "Adam."

    def update(self, *given):
        return twice(given)
"""


def test_the_hash_of_an_optimizer_is_of_its_code(tmp_path, monkeypatch):
    def hash_of(folder, code):
        """Hash the class of a module of one name, wherever it lies."""
        place = tmp_path / folder
        place.mkdir()
        (place / "an_optimizer.py").write_text(code)
        monkeypatch.syspath_prepend(place)
        monkeypatch.delitem(sys.modules, "an_optimizer", raising=False)
        provenance._of_module.cache_clear()
        return code_hash(importlib.import_module("an_optimizer").Mine)

    first = hash_of("first", OPTIMIZER)
    assert hash_of("described", OPTIMIZER.replace('"Adam."', '"Another."  # a class')) == first
    assert hash_of("method", OPTIMIZER.replace("twice(given)", "twice(given[0])")) != first
    assert hash_of("function", OPTIMIZER.replace("2 * x", "3 * x")) != first


def test_no_optimizer_of_ours_is_hashed_by_its_name_alone():
    for cls in (Adam, AdamW, SGD):
        assert f"class {cls.__name__}(" in provenance._of_class(cls)
