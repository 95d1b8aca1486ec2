"""`trainstation check`."""

import json

import broken
import pytest
from click.testing import CliRunner

import trainstation as ts
from trainstation.cli.check import check
from trainstation.testing import CHECKS

NAMES = [each.name for each in CHECKS]


def invoke(*arguments, code=0):
    result = CliRunner().invoke(check, arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture
def uphill():
    ts.register_optimizer(broken.arithmetic.Uphill, name="uphill")
    yield "uphill"
    ts.unregister_optimizer("uphill")


def test_a_line_for_each_check():
    lines = invoke("SGD", "sgd:momentum=0.9,nesterov=True").stdout.splitlines()
    half = len(CHECKS) + 2
    assert [lines[0], lines[half]] == ["sgd", "sgd:momentum=0.9,nesterov=True"]
    assert [line.split()[:2] for line in lines[1 : half - 1]] == [["ok", name] for name in NAMES]
    assert lines[half - 1] == lines[-1] == f"  {len(CHECKS)} ok"


def test_a_failure_says_what_to_change_and_is_exit_code_1(uphill):
    said = invoke(uphill, "sgd", code=1).stdout
    [line] = [line for line in said.splitlines() if "FAILED" in line]
    assert line.split()[:2] == ["FAILED", "converges"]
    assert "To change: step against the gradient" in line
    [other] = [line for line in said.splitlines() if "not applicable" in line and "compiled_rule" in line]
    assert other.endswith("it names no compiled rule")
    assert f"  {len(CHECKS) - 2} ok, 1 failed, 1 not applicable" in said
    assert said.endswith(f"  {len(CHECKS)} ok\n")


def test_json_is_alone_on_stdout(uphill):
    result = invoke(uphill, "--json", code=1)
    rows = json.loads(result.stdout)
    assert [row["check"] for row in rows] == NAMES
    assert [list(row) for row in rows] == [["optimizer", "check", "status", "detail"]] * len(rows)
    assert {row["check"]: row["status"] for row in rows if row["status"] != "ok"} == {
        "converges": "failed",
        "compiled_rule": "not applicable",
    }
    assert "FAILED" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Missing argument"),
        (["adamm"], "did you mean 'adam'"),
        (["adam", "adamm"], "unknown optimizer"),
        (["adam:momentum=0.9"], "adam:momentum=0.9: "),
        (["adam:lr=-1"], "Invalid learning rate: -1"),
        (["adam:lr"], "is no option"),
    ],
)
def test_a_users_mistake_is_exit_code_2(arguments, text):
    result = invoke(*arguments, code=2)
    assert text in result.stderr
    assert result.stdout == ""


def test_what_is_no_optimizer_of_ours_is_exit_code_2():
    class Stranger:
        def step(self): ...
        def zero_grad(self): ...

    ts.register_optimizer(Stranger, name="stranger")
    try:
        assert "Stranger is no subclass" in invoke("stranger", code=2).stderr
    finally:
        ts.unregister_optimizer("stranger")


def test_one_whose_library_is_absent_is_exit_code_3():
    class Absent(broken.right.Right):
        def __init__(self, params=None):
            msg = "no such library"
            raise ImportError(msg)

    ts.register_optimizer(Absent, name="absent")
    try:
        assert invoke("absent", code=3).stderr == "Error: 'absent' cannot be used: no such library\n"
    finally:
        ts.unregister_optimizer("absent")


def test_one_that_cannot_be_made_fails_its_checks():
    class Unmade(broken.right.Right):
        def __init__(self, params=None):
            msg = "not today"
            raise KeyError(msg)

    ts.register_optimizer(Unmade, name="unmade")
    try:
        said = invoke("unmade", code=1).stdout
        assert "KeyError: 'not today'" in said
        assert "test_check.py:" in said
    finally:
        ts.unregister_optimizer("unmade")
