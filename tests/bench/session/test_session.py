import errno
import io
import json
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import fakes
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console
from threadpoolctl import threadpool_limits
from toys import QUADRATIC

import trainstation as ts
from trainstation.bench import OUT
from trainstation.bench.problems import find_problems
from trainstation.bench.protocol import minute
from trainstation.bench.protocol.minute import Minute
from trainstation.bench.protocol.plan import PROFILES, asked_for
from trainstation.bench.records.output import Output
from trainstation.bench.records.packaged import packaged
from trainstation.bench.records.rows import Env, Point, Run, Trial, environment, to_json
from trainstation.bench.records.writer import OutputError, Writer
from trainstation.bench.report import picture
from trainstation.bench.session import workers
from trainstation.bench.session.progress import TrialProgress
from trainstation.bench.session.resume import unfinished
from trainstation.bench.session.session import Session
from trainstation.cli import main

PROBLEM = "mnist5k_mlp"
BUILTINS = ["adam", "adamw", "sgd", "rmsprop"]
SCHEMA = {"env": Env, "point": Point, "run": Run, "trial": Trial}
TRIAL = "problem optimizer distribution version seed status metric best final steps secs step_us optimizer_us"


class Fails(ts.optimizers.SGD):
    def update(self, p, g, state, scalars):
        raise ArithmeticError


class Leaves(ts.optimizers.SGD):
    def __init__(self, params=None, lr=1e-3):
        raise SystemExit(4)


class Endless(ts.optimizers.SGD):
    def __init__(self, params=None, lr=1e-3, most=math.inf, how=np.float32):
        super().__init__(params, lr)


@pytest.fixture(autouse=True)
def one_blas_thread(monkeypatch):
    """Where other work runs as well, BLAS threads wait for one another a hundred times longer than they work."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with threadpool_limits(1):
        yield


def bench(out, *arguments, code=0):
    """Run the command; its result and the rows that it has written."""
    which = [] if "--problem" in arguments else ["--problem", PROBLEM]
    result = CliRunner().invoke(main, ["bench", *arguments, *which, "--out", str(out)])
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


def test_a_plugin_runs_beside_the_builtins_and_by_name(tmp_path):
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "trainstation_tiger", "2.5")
    done = fakes.command(tmp_path, "bench", "adam", "Tiger", "--epochs", "1", "--problem", PROBLEM)
    assert done.returncode == 0
    trials = kind(rows_in(tmp_path / OUT), "trial")
    assert [(row["optimizer"], row["distribution"], row["version"]) for row in trials] == [
        ("adam", "trainstation-optim", ts.__version__),
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
    done = fakes.command(tmp_path, "bench", "--epochs", "1", "--problem", PROBLEM)
    assert done.returncode == 0
    trials = {row["optimizer"]: row for row in kind(rows_in(tmp_path / OUT), "trial")}
    assert list(trials)[:4] == BUILTINS
    assert {"evil/adam", "one-lion/lion", "two-lion/lion", "lazy"} <= set(trials)
    assert {name: trials[name]["distribution"] for name in ("adam", "evil/adam", "two-lion/lion")} == {
        "adam": "trainstation-optim",
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
    assert [row["kind"] for row in rows] == ["run", "env", *["point", "point", "point", "trial"] * 4, "run"]
    [env] = kind(rows, "env")
    assert (env["trainstation"], env["isa"]) == (ts.__version__, ts.kernels.isa())
    trials = kind(rows, "trial")
    assert [(row["optimizer"], row["seed"]) for row in trials] == [("adamw", 0), ("sgd", 0), ("adamw", 1), ("sgd", 1)]
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
    assert "n=2" in result.stdout
    assert "[3/4] mnist5k_mlp, adamw, default, seed 1: done, accuracy " in result.stdout


def test_files_go_to_the_folder_and_are_named_at_start_and_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["bench", "sgd", "--epochs", "1", "--problem", PROBLEM])
    assert result.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == [OUT]
    picture, rows = sorted((tmp_path / OUT).iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (picture.suffix, rows.suffix, picture.stem) == (".png", ".jsonl", rows.stem)
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    lines = result.stdout.splitlines()
    where = rows.relative_to(tmp_path)
    assert lines[0] == f"mnist5k_mlp: 1 optimizer, as registered, 1 seed, 1 epoch each; rows go to {where}"
    assert lines[-3:-1] == [f"rows:    {where}", f"picture: {picture.relative_to(tmp_path)}"]
    assert lines[-1] == "all of it as a page: trainstation report"
    assert any(line.startswith("[1/1] mnist5k_mlp, sgd, default, seed 0: done, accuracy ") for line in lines)
    for heading in ("optimizer", "distribution", "test accuracy", "final loss", "us / step", "us in optimizer"):
        assert heading in result.stdout

    for text in ("Did not fit", "sgd: done: ", "n=1"):
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

    monkeypatch.setattr(picture, "draw", full)
    result, rows = bench(tmp_path / "out", "sgd", "--epochs", "1", code=2)
    assert result.stderr == f"Error: cannot write to {tmp_path / 'out'}: No space left on device\n"
    assert len(kind(rows, "trial")) == 1


def test_json_lines_are_the_rows_and_nothing_else(tmp_path):
    result, rows = bench(tmp_path / "out", "sgd", "--epochs", "1", "--json")
    assert [strict(line) for line in result.stdout.splitlines()] == rows
    assert "[1/1] mnist5k_mlp, sgd, default, seed 0: done" in result.stderr


def test_adam_learns_to_read(tmp_path):
    _, rows = bench(tmp_path / "out", "adam", "--epochs", "12")
    [trial] = kind(rows, "trial")
    assert trial["best"] >= 0.94


# Trials


def test_the_same_seed_gives_the_same_losses(tmp_path):
    runs = [bench(tmp_path / str(number), *BUILTINS, "--epochs", "1")[1] for number in range(2)]
    for one, two in zip(*(rows[2:-1] for rows in runs), strict=True):
        assert without_times(one) == without_times(two)


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


# Progress, Ctrl-C, and going on


def test_a_terminal_shows_bars():
    plan = replace(PROFILES["smoke"], names=("sgd", "adam"), epochs=1)
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=120)
    with TrialProgress(console, {"toy": QUADRATIC}, lambda _: 1.0, 2, 2.0) as progress:
        progress._drawn = 0.0
        for slot, job in enumerate(plan.first(QUADRATIC)):
            progress.begin(slot, job)
            progress._drawn -= 1  # a tenth of a second is over
            progress.progress(slot, 0.5, 0.25)
        progress.end(job)
        progress._drawn -= 1
        progress.progress(0, 0.75, 0.5)
    text = shown.getvalue()
    for part in ("toy, sgd, default, seed 0", "toy, adam, default, seed 0", "best 0.25", "1 of 2 trials", " 88%"):
        assert part in text


def test_lines_of_progress_say_what_is_left(capsys):
    plan = replace(PROFILES["smoke"], names=("sgd", "adam"), epochs=1)
    progress = TrialProgress(Console(width=120), {"toy": QUADRATIC}, lambda _: 1.0, 2, 2.0)
    job, other = plan.first(QUADRATIC)
    progress.begin(0, job)
    progress.end(job)
    progress.begin(0, other)
    progress._drawn = progress._printed = -100.0
    progress.progress(0, 0.5, 0.25)
    said = capsys.readouterr().out
    assert said.startswith("1 of 2 trials, 75%, about 0:")
    assert said.endswith(" left; toy, adam, default, seed 0: 50%, best 0.25\n")


def test_quiet_shows_the_result_only(tmp_path):
    result, rows = bench(tmp_path / "out", "sgd", "--epochs", "1", "--quiet")
    assert result.stdout.startswith("mnist5k_mlp: MLP")
    assert "[1" not in result.stdout
    assert len(kind(rows, "trial")) == 1


def test_what_did_not_fit_is_listed_with_its_command_and_so_is_a_firm_answer(tmp_path, monkeypatch, capsys, register):
    register(ts.optimizers.SGD, "mine")
    monkeypatch.setattr(minute, "BUDGET", 0.0)
    plan = Minute("smoke", ("known",), 0, 0, "cosine", names=("mine", "sgd", "adam"), begin=time.perf_counter())
    out = Output(tmp_path / "stem", None)
    Session(out, plan, [find_problems()["quadratic"]], 1, options=["--quiet", "--seeds", "2", "--out", "a b"]).run()
    said = capsys.readouterr().out
    assert "Did not fit into the minute; run with: trainstation bench mine --quiet --seeds 2 --out 'a b'\n" in said
    assert "For a firm answer: trainstation bench sgd adam --profile standard --jobs 2 --out 'a b'\n" in said


def test_a_problem_that_raises_costs_its_trials_alone(tmp_path, capsys):
    def broken(seed):
        raise FileNotFoundError

    plan = replace(PROFILES["smoke"], names=("sgd",), epochs=1)
    session = Session(Output(tmp_path / "stem", None), plan, [replace(QUADRATIC, name="x", start=broken), QUADRATIC], 1)
    session.run()
    assert [(trial.problem, trial.status) for trial in session.trials] == [("x", "error"), ("toy", "done")]
    assert "sgd: error: FileNotFoundError" in capsys.readouterr().out


def interrupt_after(monkeypatch, count):
    run, begun = workers.run_trial, []

    def interrupted(problem, job, *rest, **options):
        begun.append(job)
        if len(begun) > count:
            raise KeyboardInterrupt
        return run(problem, job, *rest, **options)

    monkeypatch.setattr(workers, "run_trial", interrupted)
    return begun


@pytest.mark.parametrize("options", [["--epochs", "1"], ["--track", "both", "--trials", "2"]])
def test_after_an_interrupt_the_same_command_goes_on(tmp_path, monkeypatch, options):
    words = ["ADAM", "sgd", "--seeds", "2", "--problem", "quadratic", *options]
    with monkeypatch.context() as patched:
        interrupt_after(patched, 3)
        result = CliRunner().invoke(main, ["bench", *words, "--out", str(tmp_path)])
    assert result.exit_code == 130
    first = rows_in(tmp_path)
    assert [row["optimizer"] for row in kind(first, "trial")] == ["adam", "sgd", "adam"]
    assert "Interrupted. 3 finished trials kept in " in result.output
    again = (
        f"The same command goes on with the {'1' if '--epochs' in options else '9'} left: trainstation bench ADAM sgd "
    )
    assert again in result.output
    assert "Traceback" not in result.output
    result, rows = bench(tmp_path, *words)  # one file still: it is that run which goes on
    assert rows[: len(first)] == first
    assert "3 trials of them from earlier runs" in result.output
    total = 4 if "--epochs" in options else 12
    trials = kind(rows, "trial")
    assert len(trials) == total
    assert len({(row["optimizer"], row["seed"], row["track"], row["trial"]) for row in trials}) == total
    assert [row["finished"] for row in kind(rows, "run")] == [False, False, True]


def test_a_minute_that_was_interrupted_goes_on_and_one_that_was_not_begins_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(minute, "MOST", 2)
    words = ["adam", "sgd", "--problem", "quadratic"]
    with monkeypatch.context() as patched:
        interrupt_after(patched, 1)
        assert CliRunner().invoke(main, ["bench", *words, "--out", str(tmp_path)]).exit_code == 130
    _, rows = bench(tmp_path, *words)
    assert [row["optimizer"] for row in kind(rows, "trial")] == ["adam", "sgd", "adam", "sgd"]
    result = CliRunner().invoke(main, ["bench", *words, "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert "earlier runs" not in result.output
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_finished_trials_are_not_run_again_unless_asked(tmp_path, monkeypatch):
    words = ["bench", "sgd", "--epochs", "1", "--problem", "quadratic", "--out", str(tmp_path)]
    begun = interrupt_after(monkeypatch, 100)
    for more, runs in ([], 1), ([], 1), (["--seeds", "2"], 2), (["--fresh"], 3), (["--epochs", "2"], 4):
        assert CliRunner().invoke(main, [*words, *more]).exit_code == 0
        assert len(begun) == runs


def test_a_file_that_is_being_written_to_is_nobody_elses(tmp_path):
    plan = replace(PROFILES["smoke"], names=("sgd",), epochs=1)
    writer = Writer(tmp_path / "bench-1.jsonl")
    writer.write(Run("bench-1", asked_for(plan, [QUADRATIC]), finished=False))
    assert unfinished(tmp_path, asked_for(plan, [QUADRATIC])) is None
    writer.close()
    assert unfinished(tmp_path, asked_for(plan, [QUADRATIC])).stem == tmp_path / "bench-1"
    assert unfinished(tmp_path, asked_for(replace(plan, seeds=2), [QUADRATIC])) is None
    writer = Writer(tmp_path / "x.jsonl")
    with pytest.raises(OutputError):
        Writer(writer.path)
    writer.close()


def test_what_a_kill_has_torn_is_dropped_when_the_file_goes_on(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"whole": 1}\n{"to', encoding="utf-8")
    writer = Writer(path)
    writer.write(environment())
    writer.close()
    whole, row = path.read_text(encoding="utf-8").splitlines()
    assert whole == '{"whole": 1}'
    assert strict(row)["kind"] == "env"


def test_without_epochs_the_minute_has_the_best_settings_known(tmp_path, register):
    register(ts.optimizers.SGD, "mine")
    result, rows = bench(tmp_path / "out", *BUILTINS, "mine", "--seeds", "2", "--problem", "quadratic")
    assert "quadratic: 5 optimizers at the best settings known, 2 seeds; rows go to " in result.stdout
    trials = kind(rows, "trial")
    searched = [row for row in trials if row["track"] == "tuning"]
    assert [(row["optimizer"], row["trial"]) for row in searched] == [("mine", number) for number in range(6)]
    scored = [row for row in trials if row["track"] == "known"]
    assert [(row["seed"], row["optimizer"]) for row in scored] == list(product(range(2), [*BUILTINS, "mine"]))
    assert {(row["optimizer"], row["searched"]) for row in scored} == {*((name, 8) for name in BUILTINS), ("mine", 6)}
    known = packaged()
    for row in scored:
        assert (row["schedule"], row["max_steps"], row["steps"]) == ("cosine", 2000, 2000)
        if row["optimizer"] != "mine":
            best = known.settings("quadratic", row["optimizer"], row["distribution"])
            assert best.hyper.items() <= row["hparams"].items()
    best = min(searched, key=lambda row: (row["steps_to_target"] or math.inf, row["final"]))
    assert {row["hparams"]["lr"] for row in scored if row["optimizer"] == "mine"} == {best["hparams"]["lr"]}


def test_side_by_side_the_minute_has_the_same_trials(tmp_path):
    words = ["adam", "sgd", "--seeds", "2", "--problem", "quadratic"]
    one, two = (kind(bench(tmp_path / n, *words, "--jobs", n)[1], "trial") for n in ("1", "2"))
    keys = ("optimizer", "seed", "track", "searched", "final", "steps_to_target")
    assert sorted(str([row[key] for key in keys]) for row in one) == sorted(
        str([row[key] for key in keys]) for row in two
    )


def test_a_minute_of_an_optimizer_that_fails_says_so_once(tmp_path, register):
    register(Fails, "fails")
    words = ["adam", "fails", "--seeds", "4", "--problem", "quadratic"]
    result, rows = bench(tmp_path / "out", *words, code=3)
    assert {row["status"] for row in kind(rows, "trial") if row["optimizer"] == "fails"} == {"error"}
    assert "Trials of fails have diverged or failed." in result.stdout
    assert result.stdout.count(": error, height ") == 1


@pytest.mark.parametrize("width", ["80", "120", "200"])
def test_the_table_of_the_minute_fits_into_a_terminal(tmp_path, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    result, _ = bench(tmp_path / "out", *BUILTINS, "--seeds", "1", "--problem", "[qs]*_d*", "-q")
    table = result.stdout[: result.stdout.index("At the best")]
    assert "…" not in table
    for word in ("softmax_digits", "steps to 0.102", "[test loss]", "in steps,", *BUILTINS):
        assert word in table


def test_the_minute_takes_the_same_steps_to_the_target_as_the_packaged_results_say(tmp_path):
    """Seeds and settings are theirs; on another processor matrix products round differently, which may move a hit."""
    _, rows = bench(tmp_path / "out", "adam", "--seeds", "4", "--problem", "quadratic")
    found = [row["steps_to_target"] for row in kind(rows, "trial")]
    said = [t.steps_to_target for t in packaged().trials if (t.problem, t.optimizer) == ("quadratic", "adam")]
    assert [steps is None for steps in found] == [steps is None for steps in said]
    assert all(abs(one - two) <= 80 for one, two in zip(found, said, strict=True) if one and two)


def test_ctrl_c_keeps_the_finished_rows(tmp_path):
    # Whoever runs the tests may have told its children to ignore SIGINT.
    code = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "runpy.run_module('trainstation', run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "bench", "sgd", "adam", "--problem", PROBLEM, "--epochs", "20"],
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
    assert f"goes on with the 1 left: trainstation bench sgd adam --problem {PROBLEM} --epochs 20\n" in said
    assert errors == ""


def test_a_search_says_where_the_best_points_lie(tmp_path):
    words = ["tune", "sgd", "--problem", "quadratic", "--trials", "3", "--seeds", "2", "--out", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    rows = rows_in(tmp_path)
    assert [row["track"] for row in kind(rows, "trial")] == ["tuning"] * 3 + ["tuned"] * 2
    assert result.stdout.splitlines()[-1].startswith("quadratic, sgd: lr=")


def test_problems_are_listed():
    text = CliRunner().invoke(main, ["problems"])
    listed = strict(CliRunner().invoke(main, ["problems", "--json"]).stdout)
    assert [each["name"] for each in listed] == list(find_problems())
    for each in listed:
        assert any(line.startswith(each["name"]) for line in text.stdout.splitlines())
    assert CliRunner().invoke(main, ["bench", "--problem", "nonsense"]).exit_code == 2


def test_two_optimizers_are_compared_in_a_sentence(tmp_path):
    packaged = CliRunner().invoke(main, ["compare", "lion", "ADAMW", "--out", str(tmp_path)])  # neither rows nor lion
    assert packaged.exit_code == 0, packaged.output
    assert "lion against adamw, tuned, 44 pairs of trials on 11 problems: " in packaged.stdout
    assert packaged.stdout.splitlines()[-1].startswith("Packaged results, measured on ")
    bench(tmp_path, "adam", "sgd", "--track", "default", "--seeds", "6", "--problem", "quadratic")
    found = CliRunner().invoke(main, ["compare", "ADAM", "sgd", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[-1].startswith("adam against sgd, default, 6 pairs of trials on 1 problem: ")
    as_json = strict(CliRunner().invoke(main, ["compare", "adam", "sgd", "--json", "--out", str(tmp_path)]).stdout)
    assert (as_json["a"], as_json["b"], as_json["track"], as_json["paired"]) == ("adam", "sgd", "default", True)
    assert [duel["n_a"] for duel in as_json["duels"]] == [6]
    words = ["compare", "adam", "rmsprop", "--track", "default", "--out", str(tmp_path)]
    missing = CliRunner().invoke(main, words)
    assert missing.exit_code == 2
    advice = f"trainstation bench adam rmsprop --track default --out {tmp_path}"
    assert f"has no default trials of rmsprop; {advice} makes some" in missing.stderr
    nowhere = CliRunner().invoke(main, ["report", "--out", str(tmp_path / "nowhere")])
    assert f"there are no rows in {tmp_path / 'nowhere'}; trainstation bench --out " in nowhere.stderr


def test_rows_become_a_page(tmp_path):
    assert CliRunner().invoke(main, ["report", "--out", str(tmp_path / "nothing")]).exit_code == 2
    bench(tmp_path, "adam", "--problem", "quadratic", "--epochs", "1")
    found = CliRunner().invoke(main, ["report", "--out", str(tmp_path)])
    assert found.exit_code == 0, found.output
    assert found.stdout == f"1 trial, 0 timings\npage: {tmp_path / 'report.html'}\n"
    assert (tmp_path / "report.html").read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    [rows] = tmp_path.glob("*.jsonl")
    rows.write_text("no row\n" + rows.read_text(encoding="utf-8"), encoding="utf-8")
    torn = CliRunner().invoke(main, ["report", "--out", str(tmp_path)])
    assert torn.exit_code == 2
    assert "line 1 is no row" in torn.stderr
