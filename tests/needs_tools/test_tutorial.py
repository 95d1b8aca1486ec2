"""plugins/README.md, word for word: what it runs is run in a fresh environment, what it shows is compared.

A block of it is of one of these kinds: `bash` and `python` are run, where the commands before have led to; `text` is
part of what the last commands wrote; `diff FILE` is applied to a file; `LANGUAGE FILE` is part of a file.
"""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from trainstation.cli.new import new, patched

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "plugins" / "README.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MARK = "== the end of what this block writes, in "


class Shell:
    """A bash that stops at the first command that fails."""

    def __init__(self, folder, **environment):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TRAINSTATION", "PYTHON", "VIRTUAL_ENV"))}
        self.folder = folder
        self.process = subprocess.Popen(
            ["bash", "-euo", "pipefail"],
            cwd=folder,
            env={**kept, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.timer = threading.Timer(600, self.process.kill)
        self.timer.start()

    def run(self, commands):
        """Run commands, which may change the folder and the environment; return what they wrote."""
        self.process.stdin.write(f'{{\n{commands}\n}} < /dev/null\necho "{MARK}$PWD"\n')
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            before, mark, folder = line.rstrip("\n").partition(MARK)
            if mark:
                self.folder = Path(folder)
                return "".join([*lines, before])
            lines.append(line)
        pytest.fail(f"{commands}\nended the shell, after\n{''.join(lines)}", pytrace=False)

    def close(self):
        self.timer.cancel()
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def shell(tmp_path_factory, wheel):
    """The shell after all of the tutorial."""
    shell = Shell(tmp_path_factory.mktemp("tutorial"), TRAINSTATION=str(wheel))
    written = ""
    try:
        for language, name, text in BLOCK.findall(TUTORIAL.read_text(encoding="utf-8")):
            if language == "bash":
                written = shell.run(text)
            elif language == "python" and not name:
                script = tmp_path_factory.mktemp("block") / "block.py"
                script.write_text(text)
                shell.run(f"python {script}")
            elif language == "text":
                assert text in written, f"not what was written:\n{text}\nbut:\n{written}"
            elif language == "diff":
                changed = shell.folder / name
                changed.write_text(patched(changed.read_text(), text))
            else:
                assert name, f"a block that is not run, and of no file:\n{text}"
                assert text in (shell.folder / name).read_text(), f"not in {name}:\n{text}"
        yield shell
    finally:
        shell.close()


def test_the_tutorial_holds_word_for_word(shell):
    home = shell.folder.parent
    made = [re.sub("-none-(?!any).*", "-none-HERE.whl", path.name) for path in home.glob("trainstation-*/dist/*")]
    assert sorted(made) == [
        "trainstation_fast_sign-0.1.0-py3-none-HERE.whl",
        "trainstation_nesterov_sign-0.1.0-py3-none-any.whl",
        "trainstation_nesterov_sign-0.1.0.tar.gz",
    ]
    assert "_fast_sign.so" in shell.run(f"python -m zipfile -l {home}/trainstation-fast-sign/dist/*.whl")
    assert "torch" not in shell.run("pip list")


@pytest.mark.parametrize("name", ["nesterov-sign", "fast-sign"])
def test_what_the_github_workflow_runs_passes(shell, name):
    folder = shell.folder.parent / f"trainstation-{name}"
    commands = re.findall(r"^ *- run: (.*)$", (folder / ".github/workflows/tests.yml").read_text(), re.MULTILINE)
    assert "mypy" in commands
    shell.run("\n".join([f"cd {folder}", *commands]))


def test_the_tests_of_a_rule_see_a_last_bit(shell):
    folder = shell.folder.parent / "trainstation-fast-sign"
    rule = folder / "kernels" / "rule.h"
    text = rule.read_text()
    other = "v_add(s[0], v_mul(h[2], v_sub(g, s[0])))"  # equal, were it not for rounding
    rule.write_text(text.replace("v_add(v_mul(h[1], s[0]), v_mul(h[2], g))", other))
    assert rule.read_text() != text
    written = shell.run(f"cd {folder}\npip install -e .\npython -m pytest -q tests/test_rule.py || true")
    assert re.search(r"^FAILED .*test_gives_the_bits_of_update.*float64", written, re.MULTILINE)
    assert " error" not in written


@pytest.mark.parametrize("name", ["a", "a_name_that_is_as_long_as_any_is_likely"])
def test_a_name_of_any_length_leaves_all_formatted(name, tmp_path):
    assert CliRunner().invoke(new, [name, str(tmp_path / "new"), "--with-kernel"]).exit_code == 0
    for command in (["format", "--check", "--diff"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", tmp_path / "new"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
