"""CheckpointManager keeps the last and the best, and skips what is damaged; `inspect` shows a file."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import trainstation as ts
from trainstation.cli import main


def steps(manager):
    return sorted(int(path.name.split("-")[1].split(".")[0]) for path in manager.folder.glob("step-*"))


@pytest.mark.parametrize(
    ("mode", "metrics", "kept", "best"),
    [
        ("min", [None] * 5, [3, 4], None),
        ("min", [3.0, 1.0, 2.0, 4.0, 5.0], [1, 3, 4], 1),
        ("max", [3.0, 1.0, 2.0, 1.0, 1.0], [0, 3, 4], 0),
        ("min", [float("nan"), 1e-30, float("inf"), 2.0, 1e30], [1, 3, 4], 1),
        ("min", [1.0, 1.0, 1.0, 1.0, 1.0], [3, 4], 4),
        ("min", [-1.0, -2.5, 0.0, None, None], [1, 3, 4], 1),
    ],
)
def test_the_last_and_the_best_are_kept(tmp_path, mode, metrics, kept, best):
    manager = ts.CheckpointManager(tmp_path / "runs", keep=2, mode=mode)
    assert (manager.latest(), manager.best()) == (None, None)
    (manager.folder / "step-mine.txt").touch()
    for step, metric in enumerate(metrics):
        assert manager.latest() is None or ts.load(manager.latest()) == step - 1
        manager.save(step, metric=metric, extra=step)
    (manager.folder / "step-mine.txt").unlink()
    assert steps(manager) == kept
    assert manager.load() == 4
    assert (None if manager.best() is None else ts.load(manager.best())) == best


def test_damaged_files_are_skipped_with_a_warning(tmp_path):
    manager = ts.CheckpointManager(tmp_path)
    for step in range(3):
        manager.save(step, metric=-step, extra=step)
    manager.latest().write_bytes(b"cut off")
    with pytest.warns(UserWarning, match="skipped: .*step-000000002.*no checkpoint"):
        assert manager.load() == 1
    with pytest.warns(UserWarning, match="skipped"):
        assert ts.load(manager.best()) == 1


def test_a_step_may_be_saved_again(tmp_path):
    manager = ts.CheckpointManager(tmp_path, keep=1)
    manager.save(7, metric=1.0, extra="old")
    manager.save(7, metric=2.0, extra="new")
    assert [ts.load(path) for path in tmp_path.iterdir()] == ["new"]
    manager.save(3, extra="earlier")  # begun again: what was just written is never what is deleted
    assert manager.folder.joinpath("step-000000003.safetensors").exists()


def test_what_cannot_be_saved_deletes_nothing(tmp_path):
    manager = ts.CheckpointManager(tmp_path, keep=1)
    manager.save(1, extra=1)
    with pytest.raises(ts.CheckpointError):
        manager.save(2, extra=object())
    assert manager.load() == 1


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"mode": "best"}])
def test_wrong_arguments(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ts.CheckpointManager(tmp_path, **wrong)
    with pytest.raises(ValueError, match="step"):
        ts.CheckpointManager(tmp_path).save(-1)
    with pytest.raises(ts.CheckpointError, match="there is no checkpoint"):
        ts.CheckpointManager(tmp_path).load()


def test_inspect_shows_a_file(tmp_path):
    model = ts.nn.Linear(2, 1)
    optimizer = ts.create_optimizer("adamw", model.parameters(), lr=0.125, state_dtype="bfloat16")
    model(ts.Tensor.ones([1, 2])).sum().backward()
    optimizer.step()
    path = tmp_path / "run"
    ts.save(path, model=model, optimizer=optimizer, extra={"epoch": 3, "at": np.zeros(2)})
    shown = CliRunner().invoke(main, ["inspect", str(path)])
    assert shown.exit_code == 0
    for words in (
        *("adamw of trainstation", "lr=0.125", "betas=(0.9, 0.999)", "steps: 1", "'epoch': 3, 'at': extra.at"),
        *("model/weight", "BF16             4 bytes  [1, 2]", "the sha256 is right"),
    ):
        assert words in shown.stdout
    found = json.loads(CliRunner().invoke(main, ["inspect", str(path), "--json"]).stdout)
    assert found["extra"] == {"epoch": 3, "at": {"$array": "extra.at"}}
    assert {"name": "model/weight", "dtype": "F32", "shape": [1, 2], "bytes": 8} in found["arrays"]
    path.write_bytes(path.read_bytes()[:-1])
    failed = CliRunner().invoke(main, ["inspect", str(path)])
    assert failed.exit_code == 1
    assert "damaged" in failed.stderr
    assert CliRunner().invoke(main, ["inspect", str(tmp_path / "none")]).exit_code == 2
