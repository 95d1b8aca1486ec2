import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import trainstation as ts
from trainstation.bench import OUT, machine
from trainstation.bench.records.rows import Speed
from trainstation.bench.speed import entrants, race
from trainstation.bench.speed.cases import cut, make_cases, parse_sizes
from trainstation.bench.speed.entrants import Parity, family
from trainstation.bench.speed.probe import Bandwidth, Probe, probes
from trainstation.bench.words import size_name
from trainstation.cli import main
from trainstation.create import parse

Adam = ts.optimizers.Adam


class Slow(Adam):
    """A peer that is right, and takes its time."""

    def step(self, parameters=None):
        time.sleep(0.003)
        return super().step(parameters)


class Other(Adam):
    """A peer by a library of its own: it has a bare call, a version, and its own threads."""

    native = Adam
    own_threads = True

    def stepper(self):
        return super().step

    @staticmethod
    def version():
        return "9.9"


class Absent(Adam):
    def __init__(self, params=None, lr=1e-3):
        msg = "zoo is absent: pip install zoo"
        raise ImportError(msg)


class Fails(Adam):
    def step(self, parameters=None):
        raise ArithmeticError


def wrong(change):
    """An Adam that says it is one, and differs: `change` is made to its scalars."""

    class Wrong(Adam):
        native = Adam
        rule = None

        def scalars(self, hyper, t):
            return change(*super().scalars(hyper, t))

    return Wrong


# The scalars: what decay is made with, three of the betas, the rate, the correction of the root, and eps.
WRONG = {
    "eps_before_the_correction": wrong(lambda wd, a, b, c, lr, root, eps: (wd, a, b, c, lr, root, eps * root)),
    "no_correction": wrong(lambda wd, a, b, c, lr, root, eps: (wd, a, b, c, lr, 1.0, eps)),
    "another_beta": wrong(lambda wd, a, b, c, lr, root, eps: (wd, a, 0.998, 0.002, lr, root, eps)),
    "a_little_faster": wrong(lambda wd, a, b, c, lr, root, eps: (wd, a, b, c, lr * 1.0005, root, eps)),
    "not_a_number": wrong(lambda wd, a, b, c, lr, root, eps: (wd, a, b, c, math.nan, root, eps)),
}


@pytest.fixture
def a_high_roof(monkeypatch):
    """No test hangs on how fast this machine is, or on what else it does."""
    monkeypatch.setattr(machine.Others, "share", lambda self: 0.0)
    monkeypatch.setattr(race, "probes", lambda case, *arrays: [Probe("probe:x", lambda: None, case.elements, 10**15)])


def run(out, *arguments, code=0):
    """Run the command on 64 elements, one thread; its result and its rows."""
    arguments = ["speed", *arguments, "--threads", "1", "--samples", "5", "--out", str(out)]
    if not {"--sizes", "--shapes"} & set(arguments):
        arguments += ["--sizes", "64"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result, rows_in(out)


def rows_in(out):
    [path] = Path(out).glob("*.jsonl")
    return [strict(line) for line in path.read_text(encoding="utf-8").splitlines()]


def strict(text):
    """Read JSON that has no NaN."""
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))


def speeds(rows):
    return {row["peer"]: row for row in rows if row["kind"] == "speed"}


# Cases


@pytest.mark.parametrize(
    ("name", "tensors", "elements"),
    [
        ("mlp", 6, 235_146),
        ("lenet", 10, 61_706),
        ("resnet18", 62, 11_689_512),
        ("gpt2", 148, 124_439_808),
        ("1000x100", 1000, 100_000),
    ],
)
def test_models_are_what_they_are_called(name, tensors, elements):
    [case] = make_cases([], [name], [1], ["warm"], "float32")
    assert (case.name, len(case.shapes), case.elements) == (name, tensors, elements)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("1000", [1000]),
        ("2^8", [256]),
        (" 10^3 , 2^0", [1000, 1]),
        ("2^8..2^12", [256, 1024, 4096]),
        ("2^8..2^11", [256, 1024, 2048]),
        ("7..7", [7]),
        ("4,2^2..2^4,16", [4, 16]),
    ],
)
def test_sizes(text, sizes):
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize(
    "text",
    ["", "a", "2^", "^2", "2^8,", "-1", "1.5", "2^-1", "0", "2^40", "2^9999999999", "8..4", "..8", "8..", "1..2..3"],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match=r"size|elements|ends before"):
        parse_sizes(text)


@given(st.integers(1, 2**39))
def test_a_size_is_read_as_it_is_written(size):
    assert parse_sizes(size_name(size)) == [size]


@given(st.lists(st.lists(st.integers(1, 50), max_size=3).map(tuple), min_size=1).map(tuple), st.integers(1, 10**4))
def test_tensors_that_are_cut_are_as_many_and_few_elements(shapes, limit):
    made = cut(shapes, limit)
    assert len(made) == len(shapes)
    total = sum(map(math.prod, shapes))
    assert made == shapes or total > limit >= sum(map(math.prod, made)) - len(shapes)
    assert all(math.prod(shape) >= 1 for shape in made)


def test_cases_are_all_combinations_small_ones_first():
    made = make_cases([2**20, 2**8], ["lenet"], [1, 2], ["warm", "cold"], "float64")
    assert len(made) == 12
    assert [case.name for case in made] == ["2^8"] * 4 + ["lenet"] * 4 + ["2^20"] * 4
    assert {(case.threads, case.mode) for case in made} == {(1, "warm"), (1, "cold"), (2, "warm"), (2, "cold")}


# Entrants


@pytest.mark.parametrize(
    ("text", "label", "options"),
    [
        ("Adam", "adam", {}),
        ("adam:", "adam", {}),
        ("trainstation/adam:lr=0.5", "adam:lr=0.5", {"lr": 0.5}),
        (
            "adam:state_dtype=8bit,betas=(0.9,0.99),amsgrad=True",
            "adam:state_dtype=8bit,betas=(0.9,0.99),amsgrad=True",
            {"state_dtype": "8bit", "betas": (0.9, 0.99), "amsgrad": True},
        ),
        ("adam:state_dtype=bfloat16", "adam:state_dtype=bfloat16", {"state_dtype": "bfloat16"}),
    ],
)
def test_options_go_with_the_name(text, label, options):
    found = parse(text)
    assert (found.label, found.name, found.options) == (label, "adam", options)


@pytest.mark.parametrize("text", ["adam:lr", "adam:=1", "adam:1=2", "adam:lr=1,,"])
def test_what_is_no_option_is_refused(text):
    if text.endswith(",,"):
        assert parse(text).options == {"lr": "1,,"}  # the optimizer will refuse it
        return
    with pytest.raises(ValueError, match="is no option"):
        parse(text)


def test_a_family_is_an_optimizer_and_its_peers(register):
    register(Slow, "zoo.adam", tags=("peer", "adam"))
    register(Slow, "zoo.other", tags=("peer", "adamw"))
    assert family("adam")[0] == "adam"
    assert "zoo.adam" in family("adam")
    assert "zoo.other" not in family("adam")
    assert family("sgd", "momentum=0.9")[0] == "sgd:momentum=0.9"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shapes", [((1,),), ((70, 30), (), (5,)), ((2**20,), (3,))], ids=str)
@pytest.mark.parametrize(
    "text", ["adam", "adamw", "sgd", "sgd:momentum=0.9", "rmsprop", "adam:weight_decay=0.1,amsgrad=True"]
)
def test_our_optimizers_are_what_their_mathematics_says(text, shapes, dtype):
    parity = Parity.of(parse(text), shapes, dtype)
    assert parity.wrong == ""
    assert 0 <= parity.max_err < (1e-5 if dtype == "float32" else 1e-12)
    assert parity.states == {"adam": 2, "adamw": 2, "sgd": 0, "sgd:momentum=0.9": 1, "rmsprop": 1}.get(text, 3)


@pytest.mark.parametrize("name", WRONG)
def test_one_that_is_slightly_wrong_is_found(register, name):
    register(WRONG[name], name)
    parity = Parity.of(parse(name), ((2**12,),), "float32")
    assert parity.wrong.startswith("off its mathematics by ")


# Probes


def arrays_of(case):
    rng = np.random.default_rng(0)
    return entrants.draw(case.shapes, case.dtype, 0.02, rng), entrants.draw(case.shapes, case.dtype, 1e-3, rng)


def test_probes_move_what_they_say():
    [case] = make_cases([], ["lenet"], [1], ["warm"], "float32")
    found = {probe.name: probe for probe in probes(case, *arrays_of(case))}
    assert found["probe:numpy"].moved == 3 * 4 * case.elements
    for name in set(found) - {"probe:numpy"}:
        assert name.removeprefix("probe:") in ts.kernels.isas()
        assert found[name].moved == 7 * 4 * case.elements
    for probe in found.values():
        assert probe.elements == case.elements
        probe.call()


def test_the_probe_of_adams_traffic_adds_the_gradient_to_all():
    p, g = np.arange(5, dtype=np.float32), np.full(5, 0.5, np.float32)
    [parameter] = entrants.link([p], [g])
    probe = Bandwidth([parameter])
    probe.step()
    probe.step()
    assert (p == np.arange(5) + 1).all()
    assert (g == 0.5).all()
    assert all((probe.state[parameter][name] == 1).all() for name in probe.states)


def test_a_probe_is_no_larger_than_it_needs_to_be(monkeypatch):
    monkeypatch.setattr("trainstation.bench.speed.probe.PROBED", 100)
    [case] = make_cases([2**10], [], [1], ["warm"], "float64")
    assert {(probe.elements, probe.moved) for probe in probes(case, *arrays_of(case))} >= {(100, 3 * 800)}


def test_probes_take_the_arrays_that_all_take():
    [case] = make_cases([10], [], [1], ["warm"], "float32")
    values, gradients = [np.zeros(10, np.float32)], [np.ones(10, np.float32)]
    made = probes(case, values, gradients)
    for probe in made:
        probe.call()
    assert (values[0] == len(made)).all()
    assert (gradients[0] == 1).all()


# A run


@pytest.mark.usefixtures("a_high_roof")
def test_a_run_has_a_row_of_each_on_each_case(tmp_path, register):
    register(Slow, "zoo.slow", tags=("peer", "adam"))
    register(Other, "zoo.other", tags=("peer", "adam"))
    out = tmp_path / "new" / "out"
    result, rows = run(
        out, "Adam", "zoo.slow", "zoo.other", "adam:lr=0.5", "adam", "--sizes", "64,100", "--shapes", "lenet"
    )
    assert [row["kind"] for row in rows] == ["env"] + ["speed"] * 15
    env, *found = rows
    assert set(env["caches"]) <= {"L1", "L2", "L3", "L4"}
    [path] = out.glob("*.jsonl")
    for row in found:
        assert set(row) == set(Speed.__dataclass_fields__)
        assert (row["schema"], row["run_id"], row["env_id"]) == ("tsb/1", path.stem, env["env_id"])
        assert (row["status"], row["reason"], row["threads"], row["mode"]) == ("done", "", 1, "warm")
        assert (row["n"], row["tensors"]) == {"2^6": (64, 1), "100": (100, 1), "lenet": (61706, 10)}[row["case"]]
        assert len(row["samples_ns"]) == 5
        assert row["low_ns"] <= row["median_ns"] <= row["high_ns"]
        assert row["median_ns"] == np.median(row["samples_ns"])
        assert row["ns_per_param"] == pytest.approx(row["median_ns"] / row["n"])
        assert row["gbps"] == pytest.approx(row["bytes_min"] / row["median_ns"])
        assert (row["roof"], row["dtype"], row["state_dtype"]) == ("probe:x", "float32", "float32")
    steps = [row for row in found if row["suite"] == "step"]
    assert [row["peer"] for row in steps] == ["adam", "zoo.slow", "zoo.other", "adam:lr=0.5"] * 3
    for row in steps:
        assert row["bytes_min"] == 28 * row["n"]
        assert 0 < row["max_err"] < 1e-5
        assert row["first_ns"] > 0
    adam, slow, other, option = steps[:4]
    assert (adam["peer_version"], adam["distribution"]) == (ts.__version__, "trainstation-optim")
    assert (adam["is_peer"], adam["kernel"], adam["hparams"]) == (False, ts.kernels.isa(), {})
    assert (other["peer_version"], other["is_peer"], other["own_threads"]) == ("9.9", True, True)
    assert option["hparams"] == {"lr": 0.5}
    assert (slow["baseline"], slow["verdict"]) == ("zoo.other", "slower")
    assert {row["baseline"] for row in (adam, option)} == {"zoo.other"}
    picture = path.with_suffix(".png")
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    said = " ".join(result.stdout.split())
    for text in ("[1/3] 2^6, 1 thread, warm adam ", "zoo.other (own threads)", f"rows go to {path}", "us / call"):
        assert text in said.replace(f"{path.parent} /", f"{path.parent}/")
    assert result.stdout.endswith(f"rows: {path}\npicture: {picture}\n".replace("rows:", "rows:   "))


def test_real_probes_have_rows(tmp_path):
    result = CliRunner().invoke(
        main, ["speed", "sgd", "--sizes", "64", "--threads", "1", "--out", str(tmp_path), "--samples", "5"]
    )
    assert result.exit_code == 0, result.output
    found = [row for row in rows_in(tmp_path) if row.get("suite") == "probe"]
    assert "probe:numpy" in {row["peer"] for row in found}


@pytest.mark.usefixtures("a_high_roof")
def test_caches_may_be_cold_and_state_double(tmp_path, monkeypatch):
    monkeypatch.setattr("trainstation.bench.speed.timing.FLUSHED", 2**10)
    _, rows = run(tmp_path, "adam", "--mode", "both", "--dtype", "float64")
    steps = [row for row in rows if row.get("suite") == "step"]
    assert [row["mode"] for row in steps] == ["warm", "cold"]
    assert [(row["state_dtype"], row["bytes_min"]) for row in steps] == [("float64", 56 * 64)] * 2


@pytest.mark.usefixtures("a_high_roof")
def test_the_clock_is_shared_by_the_cases(tmp_path):
    result = CliRunner().invoke(
        main, ["speed", "sgd", "--sizes", "8,16", "--threads", "1", "--seconds", "0", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    assert [len(row["samples_ns"]) for row in rows_in(tmp_path) if row["kind"] == "speed"] == [5] * 4


@pytest.mark.usefixtures("a_high_roof")
def test_a_wrong_one_is_timed_shown_and_never_wins(tmp_path, register):
    register(WRONG["no_correction"], "zoo.wrong", tags=("peer", "adam"))
    register(Slow, "zoo.slow", tags=("peer", "adam"))
    result, rows = run(tmp_path, "adam", "zoo.wrong", "zoo.slow", code=1)
    found = speeds(rows)
    assert found["zoo.wrong"]["status"] == "invalid"
    assert found["zoo.wrong"]["reason"].startswith("off its mathematics by ")
    assert len(found["zoo.wrong"]["samples_ns"]) == 5
    assert (found["zoo.wrong"]["baseline"], found["zoo.wrong"]["verdict"]) == ("", "")
    assert (found["adam"]["baseline"], found["adam"]["verdict"]) == ("zoo.slow", "faster")
    assert "invalid: zoo.wrong on 2^6, 1 thread, warm: off its mathematics" in result.stdout
    assert "The run is invalid.\n" in result.stdout


@pytest.mark.usefixtures("a_high_roof")
def test_a_probe_that_is_too_slow_makes_the_run_invalid(tmp_path, monkeypatch):
    slow = Probe("probe:x", lambda: time.sleep(0.002), 64, 8)
    monkeypatch.setattr(race, "probes", lambda *anything: [slow])
    result, rows = run(tmp_path, "adam", "sgd", code=1)
    assert {name: row["status"] for name, row in speeds(rows).items()} == {
        "adam": "invalid",
        "sgd": "done",
        "probe:x": "done",
    }
    assert "the fastest probe" in result.stdout
    assert "The run is invalid.\n" in result.stdout


@pytest.mark.usefixtures("a_high_roof")
def test_who_is_absent_is_said_and_the_others_are_timed(tmp_path, register):
    register(Absent, "zoo.absent", tags=("peer", "adam"))
    result, rows = run(tmp_path, "zoo.absent", "adam")
    assert "zoo.absent: zoo is absent: pip install zoo\n" in result.stdout
    found = speeds(rows)
    assert (found["zoo.absent"]["status"], found["zoo.absent"]["samples_ns"]) == ("not_installed", [])
    assert found["zoo.absent"]["reason"] == "zoo is absent: pip install zoo"
    assert found["adam"]["status"] == "done"


@pytest.mark.usefixtures("a_high_roof")
def test_one_that_fails_does_not_disturb_the_others(tmp_path, register):
    register(Fails, "zoo.fails")
    result, rows = run(tmp_path, "zoo.fails", "adam", code=3)
    found = speeds(rows)
    assert (found["zoo.fails"]["status"], found["zoo.fails"]["reason"]) == ("error", "ArithmeticError: ")
    assert found["adam"]["status"] == "done"
    assert "error: zoo.fails on 2^6, 1 thread, warm: ArithmeticError" in result.stdout


@pytest.mark.usefixtures("a_high_roof")
def test_json_lines_are_the_rows_and_nothing_else(tmp_path):
    result, rows = run(tmp_path, "adam", "--json")
    assert [strict(line) for line in result.stdout.splitlines()] == rows
    assert "[1/1] 2^6, 1 thread, warm\n    adam " in result.stderr


def test_the_default_is_adam_with_its_peers_on_many_cases(tmp_path, monkeypatch):
    seen = {}

    def interrupted(self):
        seen.update(entrants=[entrant.label for entrant in self._entrants], cases=self._cases, seconds=self._seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(race.Race, "run", interrupted)
    result = CliRunner().invoke(main, ["speed", "--out", str(tmp_path)])
    assert result.exit_code == 130
    assert seen["entrants"][0] == "adam"
    assert seen["seconds"] == 120
    assert {case.name for case in seen["cases"]} == {
        "2^8",
        "2^12",
        "2^16",
        "2^20",
        "2^24",
        "mlp",
        "lenet",
        "resnet18",
        "1000x100",
    }
    assert {case.mode for case in seen["cases"]} == {"warm"}


@pytest.mark.usefixtures("a_high_roof")
def test_an_interrupt_keeps_the_finished_rows(tmp_path, monkeypatch):
    measure, begun = race.measure, []

    def interrupted(*arguments, **options):
        begun.append(arguments)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return measure(*arguments, **options)

    monkeypatch.setattr(race, "measure", interrupted)
    result, rows = run(tmp_path, "adam", "--sizes", "8,16,32", code=130)
    assert [(row["peer"], row["case"]) for row in rows[1:]] == [("adam", "2^3"), ("probe:x", "2^3")]
    assert f"Interrupted. 2 rows kept in {tmp_path}" in result.stdout
    assert not list(tmp_path.glob("*.png"))


def test_ctrl_c_keeps_the_finished_rows(tmp_path):
    # Whoever runs the tests may have told its children to ignore SIGINT.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "runpy.run_module('trainstation', run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "speed", "adam", "--sizes", "8,16", "--threads", "1", "--samples", "300"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any('"kind": "speed"' in path.read_text() for path in Path(tmp_path, OUT).glob("*.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert {row["case"] for row in rows_in(tmp_path / OUT)[1:]} == {"2^3"}
    assert "Interrupted. " in said
    assert errors == ""


def test_a_folder_that_cannot_be_written_to_is_2(tmp_path):
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(main, ["speed", "adam", "--sizes", "8", "--out", str(tmp_path / "file" / "out")])
    assert result.exit_code == 2
    assert result.stderr == f"Error: cannot write to {tmp_path / 'file' / 'out'}: Not a directory\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["adamm"], "unknown optimizer 'adamm'; did you mean 'adam'"),
        (["adam:no_such=1"], "adam:no_such=1: "),
        (["adam:lr=-1"], "Invalid learning rate: -1"),
        (["adam:lr"], "'lr' of 'adam:lr' is no option"),
        (["adam", "--sizes", "big"], "'big' is no size"),
        (["adam", "--sizes", "8..4"], "ends before it begins"),
        (["adam", "--shapes", "vgg"], "'vgg' is none of mlp, lenet, resnet18, gpt2, 1000x100"),
        (["adam", "--shapes", ""], "there is nothing to time on"),
        (["adam", "--threads", "0"], "'0' are no numbers of threads"),
        (["adam", "--threads", "one"], "'one' are no numbers of threads"),
        (["adam", "--mode", "hot"], "'hot' is not one of"),
        (["adam", "--samples", "4"], "4 is not in the range x>=5"),
        (["adam", "--seconds", "-1"], "-1.0 is not in the range"),
    ],
)
def test_a_mistake_is_2(tmp_path, arguments, said):
    result = CliRunner().invoke(main, ["speed", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_nobody_there_is_2(tmp_path, register):
    register(Absent, "zoo.absent")
    result = CliRunner().invoke(main, ["speed", "zoo.absent", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr == "Error: nothing to time: zoo is absent: pip install zoo\n"


# Two runs


def write(path, *times, env="one", **more):
    """Write a file of rows of adam: for each case, samples about a time."""
    rng = np.random.default_rng(len(path.name))
    lines = []
    for place, nanoseconds in enumerate(times):
        samples = list(nanoseconds * (1 + 0.01 * rng.standard_normal(30)))
        row = {"schema": "tsb/1", "kind": "speed", "suite": "step", "peer": "adam", "case": f"2^{place}", **more}
        row |= {"dtype": "float32", "threads": 1, "mode": "warm", "env_id": env, "samples_ns": samples}
        lines.append(json.dumps({**row, "median_ns": float(np.median(samples))}))
    path.write_text("\n".join([*lines, '{"schema": "tsb/1", "kind": "spe']))
    return path


def compare(*arguments, code=0):
    result = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_changes_are_shown_with_their_noise(tmp_path):
    before, after = write(tmp_path / "speed-1.jsonl", 1e5, 1e5, 1e5), write(tmp_path / "speed-22.jsonl", 1e5, 8e4)
    same, faster = compare(before, after).stdout.splitlines()
    assert "no change within noise: " in same
    assert "2^1" in faster
    assert "noise" not in faster
    assert " -20." in faster or " -19." in faster
    by_name = compare("speed-1", "speed-22.jsonl", "--out", tmp_path)
    assert (by_name.stdout, by_name.stderr) == (f"{same}\n{faster}\n", "")


def test_changes_as_json(tmp_path):
    before, after = write(tmp_path / "speed-1.jsonl", 1e5), write(tmp_path / "speed-22.jsonl", 2e5, env="two")
    said = compare(before, after, "--json")
    [change] = map(strict, said.stdout.splitlines())
    assert (change["peer"], change["case"], change["threads"]) == ("adam", "2^0", 1)
    assert change["low_pct"] < change["change_pct"] < change["high_pct"]
    assert change["change_pct"] == pytest.approx(100, abs=3)
    assert change["change_pct"] == pytest.approx(100 * (change["after_ns"] / change["before_ns"] - 1))
    assert "different machines" in said.stderr


def test_a_run_compared_with_itself_has_not_changed(tmp_path):
    run(tmp_path, "sgd")
    [path] = tmp_path.glob("*.jsonl")
    lines = compare(path.stem, path.stem, "--out", tmp_path).stdout.splitlines()
    assert len(lines) >= 2
    assert all("no change within noise: +0.0 %" in line for line in lines)


def test_what_cannot_be_compared_is_2(tmp_path):
    good, empty, other = write(tmp_path / "a.jsonl", 1.0), tmp_path / "empty.jsonl", tmp_path / "other.jsonl"
    empty.write_text("")
    other.write_text("hello\n")
    elsewhere = write(tmp_path / "b.jsonl", 1.0, peer="sgd")
    assert (
        "there is no file nothing, and no nothing.jsonl in"
        in compare(good, "nothing", "--out", tmp_path, code=2).stderr
    )
    assert "has no rows of trainstation speed" in compare(good, empty, code=2).stderr
    assert "is no file of rows: JSONDecodeError" in compare(good, other, code=2).stderr
    assert "have no row of the same contender" in compare(good, elsewhere, code=2).stderr
