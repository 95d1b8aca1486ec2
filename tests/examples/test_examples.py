"""Each example as a reader runs it: in a process of its own, shorter than by default."""

import importlib
import math
import os
import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest

import trainstation as ts
from trainstation import examples
from trainstation.bench.speed.cases import SHAPES
from trainstation.examples.lenet import LeNet
from trainstation.examples.schedules import PATTERNS, RATE, adjust
from trainstation.examples.shakespeare import Transformer

# Arguments, what is said at the end, and what the number in it must be below or above.
TOLD = {
    "linear_regression": (["--steps", "60"], r"at most ([\d.]+) off\.\n$", -math.inf, 0.02),
    "mnist": (["--epochs", "1"], r"reads ([\d.]+)% of 1,000 images .*\n$", 80, 100),
    "lenet": (["--epochs", "1"], r"reads ([\d.]+)% of 1,000 images .*\n$", 80, 100),
    # Who knows how frequent each character is, and nothing else, needs 4.8 bits.
    "shakespeare": (["--steps", "150"], r"takes ([\d.]+) bits\. It writes:\n(?s:.{400})\n$", 2, 4.2),
    "schedules": (["--epochs", "4"], r"loss ([\d.]+)\nBest: (?:[a-z ]+)\.\n$", 0.1, 0.4),
}
NAMES = [module.name for module in pkgutil.iter_modules(examples.__path__) if not module.name.startswith("_")]

# Two threads of BLAS that wait for each other on a busy machine take ten times as long as one.
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env=ENVIRONMENT,
        timeout=300,  # against a hang: on busy cores a few seconds become many
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_no_example_is_without_a_test():
    assert sorted(TOLD) == sorted(NAMES)


def test_the_list_has_a_line_for_each():
    lines = run("trainstation.examples").splitlines()
    assert [line.split()[:3] for line in lines] == [["python", "-m", f"trainstation.examples.{name}"] for name in NAMES]
    for line, name in zip(lines, NAMES, strict=True):
        assert line.endswith(importlib.import_module(f"trainstation.examples.{name}").__doc__.splitlines()[0])


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_and_says_so_the_same_each_time(name):
    arguments, said, low, high = TOLD[name]
    output = run(f"trainstation.examples.{name}", *arguments)
    found = re.search(said, output)
    assert found, output
    assert low < float(found[1]) < high, output
    assert run(f"trainstation.examples.{name}", *arguments) == output


def test_another_seed_is_another_run():
    told = {run("trainstation.examples.linear_regression", "--steps", "5", "--seed", seed) for seed in "012"}
    assert len(told) == 3


@pytest.mark.parametrize("name", NAMES)
def test_help_names_the_options(name):
    output = run(f"trainstation.examples.{name}", "--help")
    more = {"mnist": {"--checkpoint"}}.get(name, set())
    assert {TOLD[name][0][0], "--seed", "--help"} | more == set(re.findall(r"--[a-z]+", output))


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path):
    run_of = ["trainstation.examples.mnist", "--epochs", "3", "--checkpoint"]
    whole = run(*run_of, str(tmp_path / "whole"))
    with subprocess.Popen(
        [sys.executable, "-u", "-m", *run_of, str(tmp_path / "killed")], stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as process:
        first = process.stdout.readline() + process.stdout.readline()  # epoch 1 is saved before 2 is told
        process.kill()
    rest = run(*run_of, str(tmp_path / "killed"))
    assert first.decode() + rest in (whole, whole.replace(whole.splitlines(True)[1], 2 * whole.splitlines(True)[1]))
    assert (tmp_path / "killed").read_bytes() == (tmp_path / "whole").read_bytes()


# What comes out of four epochs with these losses, in multiples of the first rate.
LOSSES = [0.5, 0.4, 0.6, 0.45]
RATES = {
    "constant": [1, 1, 1, 1],
    "exponential decay": [0.8, 0.64, 0.512, 0.4096],
    "step decay": [1, 0.1, 0.01, 0.01],
    "cosine annealing": [(1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0],
    "adaptive adjustment": [1, 1, 1, 0.5],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_set_the_rate(pattern):
    optimizer = ts.optimizers.Adam([ts.tensor([1.0], requires_grad=True)], lr=RATE)
    rates = []
    for epoch in range(1, 5):
        adjust(pattern, optimizer, 4, LOSSES[:epoch])
        rates.append(optimizer.learning_rate() / RATE)
    assert np.allclose(rates, RATES[pattern], rtol=1e-12, atol=1e-12)


def test_lenet_has_the_parameters_that_it_is_timed_with():
    assert tuple(parameter.shape for parameter in LeNet().parameters()) == SHAPES["lenet"]


def test_the_transformer_sees_no_later_character():
    ts.manual_seed(0)
    model = Transformer(11, layers=2, width=8, heads=2, context=6)
    text = np.array([[1, 5, 0, 10, 2, 3]])
    scores = model(ts.tensor(text)).numpy()
    assert scores.shape == (1, 6, 11)
    for place in range(6):
        other = text.copy()
        other[0, place] = 7
        differs = (model(ts.tensor(other)).numpy() != scores).any(axis=2)[0]
        assert not differs[:place].any()
        assert differs[place:].all()
    assert np.allclose(model(ts.tensor(text[:, :4])).numpy(), scores[:, :4], atol=1e-6)
