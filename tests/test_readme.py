"""The README's and the plugin guide's Python is run, and its set-up is what .ci/run runs."""

import re
from pathlib import Path

import pytest

import trainstation as ts

ROOT = Path(__file__).parents[1]


def blocks(path, language):
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture(autouse=True)
def forget_what_a_script_registers():
    yield
    for name in ts.list_optimizers(origin="script"):
        ts.unregister_optimizer(name)


@pytest.mark.parametrize("path", ["README.md", "plugins/README.md"])
def test_every_python_block_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(path, "python")
    assert found
    for block in found:
        exec(compile(block, path, "exec"), {})


def test_the_training_loop_goes_on_from_its_checkpoint(tmp_path, monkeypatch, capsys):
    (block,) = (block for block in blocks("README.md", "python") if "ts.save" in block)
    stopped = block.replace("range(start, 100)", "range(start, 60)")
    assert stopped != block
    told = []
    for folder, runs in (("whole", [block]), ("stopped", [stopped, block])):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        ts.manual_seed(0)
        for each in runs:
            exec(compile(each, "README.md", "exec"), {})
        told.append(capsys.readouterr().out.splitlines()[-1])
    assert told[0] == told[1]
    whole, again = ((tmp_path / folder / "run.safetensors").read_bytes() for folder in ("whole", "stopped"))
    assert whole == again


def test_the_readme_has_exactly_two_set_up_commands_each_with_its_own_environment():
    main_job, tests = blocks("README.md", "bash")
    assert main_job.startswith("python3 -m venv ")
    assert main_job.rstrip().endswith("trainstation bench")
    assert tests.startswith("python3 -m venv ")
    assert tests.rstrip().endswith("python -m pytest -n auto --dist loadfile")
    assert "apt install git gcc python3-dev python3-venv" in (ROOT / "README.md").read_text(encoding="utf-8")
