import re
import subprocess
import sys
from pathlib import Path

import pytest

import trainstation as ts

FOLDER = Path(__file__).parents[1] / "typing"


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """What mypy --strict says of both files: (file, line, code)."""
    config = tmp_path_factory.mktemp("mypy") / "mypy.ini"
    # mypy does not follow the import hook of an editable installation.
    root = Path(ts.__file__).parents[1]
    config.write_text("[mypy]\nstrict = true\n" + f"mypy_path = {root}\n" * (root.name != "site-packages"))
    files = [str(FOLDER / name) for name in ("right.py", "wrong.py")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", config.parent / "cache", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    found = re.findall(r"^(.*?):(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert len(found) == done.stdout.count(": error: ")
    return {(Path(name).name, int(line), code) for name, line, code in found}


def test_right_uses_are_accepted(reported):
    assert {error for error in reported if error[0] != "wrong.py"} == set()


def test_wrong_uses_are_reported_where_they_are_marked(reported):
    lines = (FOLDER / "wrong.py").read_text(encoding="utf-8").splitlines()
    marks = [(number, re.search(r"# E: ([a-z-]+)$", line)) for number, line in enumerate(lines, 1)]
    expected = {("wrong.py", number, mark[1]) for number, mark in marks if mark}
    assert {error for error in reported if error[0] == "wrong.py"} == expected
