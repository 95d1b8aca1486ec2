import dataclasses
import errno
import io
import itertools
import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import fakes
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rich.console import Console
from threadpoolctl import threadpool_limits

import trainstation as ts
from trainstation.bench import OUT, PROBLEM, report, runner
from trainstation.bench.live import Live
from trainstation.bench.problems import BUILTIN, Problem
from trainstation.bench.rows import Env, Point, Trial, Writer, environment, to_json
from trainstation.bench.session import Session
from trainstation.cli import main

BUILTINS = ["adam", "adamw", "sgd", "rmsprop"]
SCHEMA = {"env": Env, "point": Point, "trial": Trial}
TRIAL = "problem optimizer distribution version seed status metric best final steps secs step_us optimizer_us"


class Quadratic:
    """A task of no time: (p - 3)^2 in four elements."""

    def __init__(self, seed):
        self.p = ts.Tensor.randn(4, seed, requires_grad=True)

    def parameters(self):
        return [self.p]

    def epoch(self):
        return iter(range(5))

    def loss(self, batch):
        off = self.p - 3.0
        return (off * off).sum()

    def evaluate(self):
        return float(np.exp(-np.abs(self.p.data - 3.0).max()))


QUADRATIC = Problem("quadratic", "four elements", "closeness", 5, Quadratic)


class Fails(ts.optimizers.SGD):
    def update(self, p, g, state, scalars):
        raise ArithmeticError


class Leaves(ts.optimizers.SGD):
    def __init__(self, params=None, lr=1e-3):
        raise SystemExit(4)


class Endless(ts.optimizers.SGD):
    def __init__(self, params=None, lr=1e-3, most=math.inf, how=np.float32):
        super().__init__(params, lr)


class Poisons(ts.optimizers.SGD):
    """Finite until the very last step."""

    count = 0

    def update(self, p, g, state, scalars):
        self.count += 1
        if self.count == 10:
            p[...] = np.nan


@pytest.fixture(autouse=True)
def one_blas_thread(monkeypatch):
    """Where other work runs as well, BLAS threads wait for one another a hundred times longer than they work."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with threadpool_limits(1):
        yield


@pytest.fixture
def register():
    names = []

    def register(cls, name, **options):
        ts.register_optimizer(cls, name=name, **options)
        names.append(name)

    yield register
    for name in names:
        ts.unregister_optimizer(name)


def trial_of(name, seed=0, epochs=2, seconds=None, problem=QUADRATIC):
    """Train the quadratic; the trial's row and what was noted on the way."""
    points, shares = [], []
    trial = runner.run_trial(
        problem,
        name,
        seed,
        "env",
        epochs=epochs,
        seconds=seconds,
        on_point=points.append,
        progress=lambda done, best: shares.append((done, best)),
    )
    return trial, points, shares


def bench(out, *arguments, code=0):
    """Run the command; its result and the rows that it has written."""
    result = CliRunner().invoke(main, ["bench", *arguments, "--out", str(out)])
    assert result.exit_code == code, result.output
    return result, rows_in(out)


def strict(text):
    """Read JSON that has no NaN."""
    return json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))


def rows_in(out):
    [path] = out.glob("*.jsonl")
    return [strict(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kind(rows, name):
    return [row for row in rows if row["kind"] == name]


def without_times(row):
    return {key: value for key, value in row.items() if key not in ("run_id", "secs", "step_us", "optimizer_us")}


# What runs


def test_sixty_seconds_are_shared_by_the_builtins():
    assert runner.share(BUILTINS, 1) == runner.Schedule(BUILTINS, [], 13.5)


@settings(deadline=None)
@given(
    others=st.lists(
        st.text("abcxyz", min_size=1, max_size=4).filter(lambda n: n not in BUILTINS), max_size=60, unique=True
    ),
    builtins=st.lists(st.sampled_from(BUILTINS), unique=True),
    seeds=st.integers(1, 40),
    data=st.data(),
)
def test_share(others, builtins, seeds, data):
    names = data.draw(st.permutations([*builtins, *others]))
    assume(names)
    schedule = runner.share(names, seeds)
    running = set(schedule.names)
    trials = len(schedule.names) * seeds
    assert running >= set(builtins)
    assert schedule.names == [name for name in names if name in running]
    assert schedule.left_out == [name for name in names if name not in running]
    assert trials > 0
    assert schedule.seconds >= 2
    if trials * 2 <= 54:
        assert schedule.seconds * trials == pytest.approx(54)
    else:  # what must run is longer than the minute
        assert running == set(builtins) or len(running) == 1
    if schedule.left_out:  # one more would not have fitted
        assert (trials + seeds) * 2 > 54


def test_without_names_the_builtins_come_first_and_peers_do_not_run(register):
    register(Endless, "aaa_mine")
    register(Endless, "aaa_peer", tags=("peer",))
    chosen = runner.choose()
    assert chosen[:4] == BUILTINS
    assert chosen[4:] == sorted(chosen[4:])
    assert "aaa_mine" in chosen
    assert "aaa_peer" not in chosen


def test_a_plugin_runs_beside_the_builtins_and_by_name(tmp_path):
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "trainstation_tiger", "2.5")
    done = fakes.command(tmp_path, "bench", "adam", "Tiger", "--epochs", "1")
    assert done.returncode == 0
    trials = kind(rows_in(tmp_path / OUT), "trial")
    assert [(row["optimizer"], row["distribution"], row["version"]) for row in trials] == [
        ("adam", "trainstation", ts.__version__),
        ("tiger", "trainstation-tiger", "2.5"),
    ]
    assert "trainstation-tiger 2.5" in done.stdout


def test_two_plugins_with_one_name_and_a_broken_one_are_all_in_the_rows(tmp_path):
    fakes.good(tmp_path, "one-lion", "lion", "one_lion")
    fakes.good(tmp_path, "evil", "adam", "evil_adam")
    lazy = (
        fakes.HOOK
        + "return [ts.OptimizerSpec('lazy', 'no_such_module:Class'), ts.OptimizerSpec('lion', 'one_lion:Fake')]"
    )
    fakes.distribution(tmp_path, "two-lion", "3.0", module="two_lion", code=lazy)
    fakes.distribution(tmp_path, "hidden-puma", module="hidden_puma", code="1 / 0")
    done = fakes.command(tmp_path, "bench", "--epochs", "1")
    assert done.returncode == 0
    trials = {row["optimizer"]: row for row in kind(rows_in(tmp_path / OUT), "trial")}
    assert list(trials)[:4] == BUILTINS
    assert {"evil/adam", "one-lion/lion", "two-lion/lion", "lazy"} <= set(trials)
    assert {name: trials[name]["distribution"] for name in ("adam", "evil/adam", "two-lion/lion")} == {
        "adam": "trainstation",
        "evil/adam": "evil",
        "two-lion/lion": "two-lion",
    }
    assert trials["evil/adam"]["final"] == trials["sgd"]["final"]  # it is sgd by another name
    assert (trials["lazy"]["status"], trials["lazy"]["version"]) == ("error", "3.0")
    assert trials["lazy"]["reason"].startswith("ModuleNotFoundError: No module named 'no_such_module'; while 'lazy' of")
    assert "hidden-puma" in done.stderr


# Rows and files


def test_rows_follow_the_schema(tmp_path):
    result, rows = bench(tmp_path / "out", "AdamW", "sgd", "--epochs", "2", "--seeds", "2")
    for row in rows:
        assert row["schema"] == "tsb/1"
        expected = {field for field in SCHEMA[row["kind"]].__dataclass_fields__ if field != "points"}
        assert set(row) == expected
    assert [row["kind"] for row in rows] == ["env"] + ["point", "point", "point", "trial"] * 4
    [env] = kind(rows, "env")
    assert (env["trainstation"], env["isa"]) == (ts.__version__, ts.kernels.isa())
    trials = kind(rows, "trial")
    assert [(row["optimizer"], row["seed"]) for row in trials] == [("adamw", 0), ("adamw", 1), ("sgd", 0), ("sgd", 1)]
    assert len({row["run_id"] for row in trials}) == 4
    for row in trials:
        assert set(TRIAL.split()) <= set(row)
        assert (row["env_id"], row["status"], row["reason"], row["metric"]) == (env["env_id"], "done", "", "accuracy")
        assert (row["steps"], row["epochs"]) == (126, 2)
        assert 0 <= row["final"] <= row["best"] <= 1
        assert 0 < row["optimizer_us"] < row["step_us"]
        assert row["secs"] > 0
        points = [point for point in kind(rows, "point") if point["run_id"] == row["run_id"]]
        assert [point["step"] for point in points] == [0, 63, 126]
        assert points[0]["train_loss"] is None
        assert points[-1]["train_loss"] == row["final_loss"]
        assert max(point["val_metric"] for point in points) == row["best"]
        assert points[-1]["val_metric"] == row["final"]
        assert {(point["problem"], point["optimizer"]) for point in points} == {(row["problem"], row["optimizer"])}
    assert trials[0]["hparams"] == {**ts.optimizer_info("adamw").defaults, "betas": [0.9, 0.999]}
    assert trials[0]["state_bytes_per_param"] == pytest.approx(8, rel=0.01)
    first = {row["seed"]: row["val_metric"] for row in kind(rows, "point") if row["step"] == 0}
    assert first[0] != first[1]
    for row in kind(rows, "point"):  # one seed, one start, whatever the optimizer
        assert row["step"] or row["val_metric"] == first[row["seed"]]
    assert "adamw (seed 1)" in result.stdout
    assert "[2/4] adamw, seed 1: done" in result.stdout


def test_files_go_to_the_folder_and_are_named_at_start_and_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["bench", "sgd", "--epochs", "1"])
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == [OUT]
    picture, rows = sorted((tmp_path / OUT).iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (picture.suffix, rows.suffix, picture.stem) == (".png", ".jsonl", rows.stem)
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    lines = result.stdout.splitlines()
    assert lines[0].endswith("; 1 optimizer, 1 epoch each")
    assert lines[1].endswith(f"rows go to {rows.relative_to(tmp_path)}")
    assert lines[-2:] == [f"rows:    {rows.relative_to(tmp_path)}", f"picture: {picture.relative_to(tmp_path)}"]
    assert any(line.startswith("[1/1] sgd: done, accuracy ") for line in lines)
    for heading in ("optimizer", "distribution", "test accuracy", "final loss", "us / step", "us in optimizer"):
        assert heading in result.stdout

    for text in ("Did not fit", "sgd: done: ", "seed"):
        assert text not in result.stdout


def test_a_row_is_in_the_file_when_it_has_been_written(tmp_path):
    row, handed_on = environment(), []
    for number in range(1, 4):  # the folder and the file are there, or not
        writer = Writer(tmp_path / "new" / "folder" / "rows.jsonl", handed_on.append)
        writer.write(row)
        assert writer.path.read_text(encoding="utf-8").splitlines() == [to_json(row)] * number == handed_on
        writer.close()


def test_an_environment_is_known_by_its_id():
    one, two = environment(), environment()
    assert one.env_id == two.env_id
    assert one.cores >= 1
    assert 0.1 < one.ram_gib < 1e5
    assert one.cpu_model
    with ts.kernels.use("scalar"):
        assert environment().isa == "scalar"
        assert environment().env_id != one.env_id or one.isa == "scalar"


def test_a_picture_that_cannot_be_written_keeps_the_rows(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(report, "draw", full)
    result, rows = bench(tmp_path / "out", "sgd", "--epochs", "1", code=2)
    assert result.stderr == f"Error: cannot write to {tmp_path / 'out'}: No space left on device\n"
    assert len(kind(rows, "trial")) == 1


def test_json_lines_are_the_rows_and_nothing_else(tmp_path):
    result, rows = bench(tmp_path / "out", "sgd", "--epochs", "1", "--json")
    assert [strict(line) for line in result.stdout.splitlines()] == rows
    assert "[1/1] sgd: done" in result.stderr


def test_adam_learns_to_read(tmp_path):
    _, rows = bench(tmp_path / "out", "adam", "--epochs", "12")
    [trial] = kind(rows, "trial")
    assert trial["best"] >= 0.94


def test_what_did_not_fit_is_listed_with_its_command(tmp_path, capsys):
    schedule = runner.Schedule(["sgd"], ["lion", "zoo/tiger"], None)
    for problem, option in (
        (BUILTIN[PROBLEM], ""),
        (replace(BUILTIN[PROBLEM], name="zoo/zebra"), " --problem zoo/zebra"),
    ):
        Session(tmp_path / "a b" / "stem", problem, schedule, 1, 2, None).run()
        command = f"trainstation bench lion zoo/tiger --epochs 1 --seeds 2{option} --out '{tmp_path}/a b'"
        assert f"Did not fit into the minute; run with: {command}\n" in capsys.readouterr().out


# Trials


def test_the_same_seed_gives_the_same_losses(tmp_path):
    runs = [bench(tmp_path / str(number), *BUILTINS, "--epochs", "1")[1] for number in range(2)]
    for one, two in zip(*(rows[1:] for rows in runs), strict=True):
        assert without_times(one) == without_times(two)


def test_a_trial_of_epochs(register):
    trial, points, shares = trial_of("sgd", epochs=3)
    assert (trial.status, trial.steps, trial.epochs) == ("done", 15, 3)
    assert [point.step for point in points] == [0, 5, 10, 15]
    assert [done for done, _ in shares] == pytest.approx([step / 15 for step in range(1, 16)])
    assert points == trial.points
    assert points[0].val_metric < trial.final == trial.best


def test_a_trial_of_a_time_ends_and_is_measured(monkeypatch):
    clock = itertools.count()  # ticks when it is read: four times in a step, then once for the trial
    monkeypatch.setattr(runner.time, "perf_counter", lambda: float(next(clock)))
    trial, points, shares = trial_of("sgd", epochs=None, seconds=35)
    assert (trial.status, trial.steps, trial.epochs) == ("done", 7, 1.4)
    assert [point.step for point in points] == [0, 5, 7]
    assert [point.secs for point in points] == [0, 15, 21]
    assert [done for done, _ in shares] == pytest.approx([step / 7 for step in range(1, 8)])
    assert (trial.secs, trial.step_us, trial.optimizer_us) == (21, 3e6, 2e6)


def test_weights_are_evaluated_where_the_optimizer_wants_it(register):
    said = []

    class Elsewhere(ts.optimizers.SGD):
        def eval(self):
            said.append("eval")

        def train(self):
            said.append("train")

        def step(self, parameters=None):
            said.append("step")

    class Watched(Quadratic):
        def evaluate(self):
            said.append("evaluate")
            return super().evaluate()

    register(Elsewhere, "elsewhere")
    trial_of("elsewhere", epochs=1, problem=dataclasses.replace(QUADRATIC, start=Watched))
    evaluation = ["eval", "evaluate", "train"]
    assert said == [*evaluation, *["step"] * 5, *evaluation]


@pytest.mark.parametrize("lr", [1e3, 1e6, 1e30])
def test_a_run_that_turns_non_finite_is_diverged(register, lr):
    register(ts.optimizers.SGD, "steep", defaults={"lr": lr})
    trial, _, _ = trial_of("steep", epochs=100)
    assert (trial.status, trial.final, trial.final_loss) == ("diverged", None, None)
    assert "non-finite" in trial.reason


def test_a_last_step_that_poisons_the_weights_is_diverged(register):
    register(Poisons, "poisons")
    assert trial_of("poisons", epochs=2)[0].status == "diverged"


def test_a_diverging_and_a_failing_optimizer_do_not_disturb_the_others(tmp_path, register):
    register(ts.optimizers.SGD, "steep", defaults={"lr": 1e6})
    register(Fails, "fails")
    register(Leaves, "leaves")
    register(Endless, "endless")
    result, rows = bench(tmp_path / "out", "fails", "leaves", "steep", "endless", "sgd", "--epochs", "1", code=3)
    trials = {row["optimizer"]: row for row in kind(rows, "trial")}
    assert {name: row["status"] for name, row in trials.items()} == {
        "fails": "error",
        "leaves": "error",
        "steep": "diverged",
        "endless": "done",
        "sgd": "done",
    }
    assert trials["fails"]["reason"].startswith("ArithmeticError; raised by Fails.update for parameter 0 of group 0")
    assert trials["leaves"]["reason"] == "SystemExit: 4"
    assert (trials["steep"]["final"], trials["steep"]["final_loss"]) == (None, None)
    assert trials["endless"]["hparams"]["most"] is None
    assert trials["endless"]["final"] == trials["sgd"]["final"]
    assert "fails: error: ArithmeticError" in result.stdout
    assert "steep: diverged: " in result.stdout
    assert next((tmp_path / "out").glob("*.png")).stat().st_size > 0


def test_a_table_of_nothing_but_errors(tmp_path, register):
    register(Leaves, "leaves")
    result, rows = bench(tmp_path / "out", "leaves", "--epochs", "1", code=3)
    assert [row["status"] for row in kind(rows, "trial")] == ["error"]
    assert "leaves: error: SystemExit: 4" in result.stdout


# Progress and Ctrl-C


def test_a_terminal_shows_bars():
    shown = io.StringIO()
    with Live(Console(file=shown, force_terminal=True, width=100), 2) as live:
        for name in ("sgd", "adam"):
            live.begin(name)
            live.progress(0.5, 0.25)
            live.end(trial_of(name)[0])
    assert "[1/2] sgd" in shown.getvalue()
    assert "[2/2] adam" in shown.getvalue()


def test_an_interrupt_says_what_is_kept_and_how_to_go_on(tmp_path, monkeypatch):
    run, begun = runner.run_trial, []

    def interrupted(problem, name, seed, *rest, **options):
        begun.append(name)
        if len(begun) == 4:
            raise KeyboardInterrupt
        return run(QUADRATIC, name, seed, *rest, **options)

    monkeypatch.setattr(runner, "run_trial", interrupted)
    result, rows = bench(tmp_path / "out", "ADAM", "sgd", "rmsprop", "--epochs", "1", "--seeds", "2", code=130)
    assert [row["optimizer"] for row in kind(rows, "trial")] == ["adam", "adam", "sgd"]
    assert "Interrupted. 3 finished trials kept in " in result.output
    assert f"Go on with: trainstation bench sgd rmsprop --epochs 1 --seeds 2 --out {tmp_path}/out" in result.output
    assert "Traceback" not in result.output


def test_without_epochs_the_minute_is_shared(tmp_path, monkeypatch):
    def interrupted(*_, epochs, seconds, **options):
        raise KeyboardInterrupt(epochs, seconds)

    monkeypatch.setattr(runner, "run_trial", interrupted)
    result, rows = bench(tmp_path / "out", *BUILTINS, "--seeds", "3", code=130)
    assert result.stdout.splitlines()[0].endswith("; 4 optimizers, 4.5 s, evaluations included, each")
    assert "Interrupted. 0 finished trials kept in " in result.output
    assert f"Go on with: trainstation bench {' '.join(BUILTINS)} --seeds 3 --out " in result.output
    assert [row["kind"] for row in rows] == ["env"]


def test_ctrl_c_keeps_the_finished_rows(tmp_path):
    # Whoever runs the tests may have told its children to ignore SIGINT.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "runpy.run_module('trainstation', run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "bench", "sgd", "adam", "adamw", "--epochs", "20"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not any('"kind": "trial"' in path.read_text() for path in Path(tmp_path, OUT).glob("*.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert [row["optimizer"] for row in kind(rows_in(tmp_path / OUT), "trial")] == ["sgd"]
    assert "Interrupted. 1 finished trial kept in trainstation-bench/bench-" in said
    assert "Go on with: trainstation bench adam adamw --epochs 20\n" in said
    assert errors == ""
