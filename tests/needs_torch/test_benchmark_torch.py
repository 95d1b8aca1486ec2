"""`python -m benchmarks torch`: all step and train alike, and the figures and verdicts are what they say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # benchmarks is no part of the installation
from benchmarks.torch.entrants import Tensors, why_not_compiled  # noqa: E402
from benchmarks.torch.models import MODELS, ResNet18, Trainer  # noqa: E402
from benchmarks.torch.report import Row, endings, reasons, targets_met  # noqa: E402
from benchmarks.torch.runs import alike  # noqa: E402
from trainstation.bench.speed.cases import SHAPES  # noqa: E402
from trainstation.bench.stats import Interval  # noqa: E402

MLP = MODELS[0]


def run(*arguments):
    command = [sys.executable, "-m", "benchmarks", "torch", "--quick", "--threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60, cwd=ROOT)


def test_each_row_is_one_line_of_json():
    done = run("--only", "mlp*", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    timed = [row for row in rows if not row["absent"]]
    for part, gradients in [("step", "kept"), ("step", "new"), ("train", "new")]:
        these = {row["optimizer"]: row for row in timed if (row["part"], row["gradients"]) == (part, gradients)}
        assert {"ours", "default", "foreach", "fused"} <= these.keys()
        assert these["ours"]["speed"] is None
        for row in these.values():
            low, middle, high = row["speed"] or (1, 1, 1)
            assert 0 < low <= middle <= high
            assert middle == pytest.approx(row["us"][1] / these["ours"]["us"][1])
        fused = {"fused >= 0.97x", *(["fused >= 1.5x"] if part == "step" else [])}
        assert these["fused"]["targets"].keys() == fused
    assert all(0 < row["optimizer_us"] < row["us"][1] for row in timed if row["part"] == "train")
    assert any(row["optimizer"] == "compiled" and "--compile" in row["absent"] for row in rows)


def test_a_person_reads_a_table():
    done = run("--only", "2^10", "--rule", "rmsprop")
    assert done.returncode == 0, done.stderr
    assert [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("2^10")] == [
        ["2^10", "1", "kept"],
        ["2^10", "1", "new"],
    ]
    assert "fused: torch.optim.RMSprop has no fused" in done.stdout


def test_an_unknown_name_is_refused_with_those_that_there_are():
    done = run("--only", "vgg*")
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("2^24", "1000x100", *(m.name for m in MODELS if not m.takes_long)))
    assert "Traceback" not in done.stderr


def trainer(factor=1.0):
    return Trainer(MLP, "default", "adamw", factor * MLP.rates["adamw"])


def test_a_peer_that_trains_otherwise_is_left_out():
    said, wrong = alike(MLP.name, {"default": trainer(), "ours": trainer(), "other": trainer(1.1)})
    assert list(wrong) == ["other"]
    assert "differ from torch's" in wrong["other"]
    assert "other" not in said


def test_if_ours_trains_otherwise_the_program_ends():
    with pytest.raises(SystemExit, match="ours: its losses"):
        alike(MLP.name, {"default": trainer(), "ours": trainer(1.1)})


def test_the_resnet_has_the_tensors_that_are_timed():
    assert tuple(tuple(each.shape) for each in ResNet18().parameters()) == SHAPES["resnet18"]


def test_renewed_gradients_are_other_tensors_with_the_same_numbers():
    tensors = Tensors("default", "sgd", ((3, 4), (5,)))
    before = [parameter.grad for parameter in tensors.parameters]
    tensors.renew()
    after = [parameter.grad for parameter in tensors.parameters]
    for one, other in zip(before, after, strict=True):
        assert one is not other
        assert one.data_ptr() != other.data_ptr()
        assert torch.equal(one, other)


def test_a_compiler_that_compiles():
    assert not why_not_compiled("sgd", ((3, 4), (5,)), 1, 600)


def test_a_compiler_that_takes_too_long_is_ended_and_said_so():
    assert "2 tensors after 0.1 s" in why_not_compiled("sgd", ((3, 4), (5,)), 1, 0.1)


@pytest.mark.parametrize(
    ("part", "case", "kind", "speed", "verdicts"),
    [
        ("step", "1000x100", "default", (29, 30, 31), {"default >= 30x": True}),
        ("step", "1000x100", "default", (29, 29.9, 31), {"default >= 30x": False}),
        ("step", "1000x100", "fused", (7, 8, 9), {"fused >= 8x": True, "fused >= 0.97x": True}),
        ("step", "2^20", "fused", (0.96, 1.2, 1.3), {"fused >= 0.97x": False}),
        ("train", "mlp", "default", (1, 1, 1), {}),
        ("train", "lenet/32", "fused", (0.97, 1, 1), {"fused >= 0.97x": True}),
    ],
)
def test_a_target_counts_by_the_middle_and_not_slower_by_the_lower_end(part, case, kind, speed, verdicts):
    assert targets_met(part, "adamw", case, kind, Interval(*speed)) == verdicts


def test_the_end_names_the_furthest_row_and_each_reason_once():
    speeds = {1: Interval(1.0, 1.1, 1.2), 2: Interval(0.8, 0.9, 1.0)}
    rows = [
        Row("step", "adam", f"case{n}", n, "new", "fused", speed, speed, targets={"fused >= 0.97x": n == 1})
        for n, speed in speeds.items()
    ]
    rows += [Row("step", "adam", f"case{n}", n, "new", "deepspeed", absent="not installed") for n in (1, 2)]
    (line,) = endings(rows)
    assert line.startswith("MISSED")
    assert "1 of 2" in line
    assert "case2" in line
    assert list(reasons(rows)) == ["deepspeed: not installed"]
