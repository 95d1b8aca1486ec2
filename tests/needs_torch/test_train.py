"""`python -m benchmarks train`: both libraries train the same models alike, and the figures are there."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks is no part of the installation
from benchmarks.training.models import MODELS  # noqa: E402
from benchmarks.training.train import Ours, Torchs  # noqa: E402


def losses(one, other, steps):
    return np.array([(one.step().item(), other.step().item()) for _ in range(steps)]).T


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_both_begin_and_train_alike(model):
    ours = Ours(model)
    mine, theirs = losses(ours, Torchs(model, ours, "default", 2), 5)
    assert mine[-1] < mine[0]
    assert np.allclose(mine, theirs, rtol=1e-5)


def test_another_optimizer_is_seen():
    ours = Ours(MODELS[0])
    theirs = Torchs(MODELS[0], ours, "default", 1)
    theirs.optimizer.param_groups[0]["lr"] *= 1.1
    mine, theirs = losses(ours, theirs, 20)
    assert np.abs(mine / theirs - 1).max() > 1e-3


def train(*arguments):
    command = [sys.executable, "-m", "benchmarks", "train", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60, cwd=ROOT)


def test_what_is_measured_is_one_line_of_json():
    done = train("--quick", "--only", "mlp-64-32-10*", "--threads", "1", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    low, middle, high = result["speed"]
    assert 0 < low <= middle <= high
    assert middle == pytest.approx(result["torch"] / result["step"], rel=1e-6)
    assert result["operations"] == 4  # linear with its ReLU, linear, reshape, cross-entropy
    assert min(result[part] for part in ("forward", "backward", "optimizer", "python")) > 0


def test_an_unknown_model_is_refused_with_those_that_there_are():
    done = train("--only", "resnet")
    assert done.returncode == 2
    assert all(model.name in done.stderr for model in MODELS)
    assert "Traceback" not in done.stderr
