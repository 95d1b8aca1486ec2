import dataclasses
import importlib.metadata
import json
import os
import subprocess
import sys

import fakes
import pytest
from click.testing import CliRunner

import trainstation as ts
import trainstation_optim
from trainstation.cli import main

FIELDS = [field.name for field in dataclasses.fields(ts.OptimizerInfo)]


def invoke(*arguments, code=0):
    """Run in this process; stdout."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stdout if code == 0 else result.stderr


@pytest.fixture
def zoo(tmp_path):
    """Sound, broken and conflicting distributions."""
    lazy = fakes.HOOK + "return [ts.OptimizerSpec('lazy', 'zoo_no_such_module:Class')]"
    infinite = "import math\n" + fakes.GOOD.format(cls="Infinite", name="infinite", module="zoo_infinite")
    infinite += (
        "\nclass Infinite(ts.optimizers.SGD):\n    def __init__(self, params=None, lr=1e-3, most=math.inf): ...\n"
    )
    fakes.good(tmp_path, "zoo-tiger", "tiger", "zoo_tiger", "2.5")
    fakes.good(tmp_path, "zoo-one", "lion", "zoo_one")
    fakes.good(tmp_path, "zoo-two", "lion", "zoo_two")
    fakes.distribution(tmp_path, "zoo-puma", "6.6", points={"puma": "zoo_puma"}, module="zoo_puma", code="1 / 0")
    fakes.distribution(tmp_path, "zoo-lazy", module="zoo_lazy", code=lazy)
    fakes.distribution(tmp_path, "zoo-infinite", module="zoo_infinite", code=infinite)
    return tmp_path


# What is shown


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(flag):
    said = invoke(flag)
    for command in ("list", "info", "plugins", "check", "new", "cpu", "bench", "speed", "compare"):
        assert f"\n  {command} " in said
        assert invoke(command, flag).startswith("Usage: ")


def test_version():
    assert invoke("--version") == f"trainstation, version {ts.__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["list", "adam*"], ["info", "sgd", "--json"]])
def test_python_m_is_the_command(tmp_path, arguments):
    assert fakes.command(tmp_path, *arguments).stdout == invoke(*arguments)


def test_the_command_is_installed():
    [script] = [
        point
        for point in importlib.metadata.distribution("trainstation-optim").entry_points
        if (point.group, point.name) == ("console_scripts", "trainstation")
    ]
    assert script.load() is trainstation_optim.main


def test_list():
    lines = invoke("list", "adam*", "--origin", "builtin").splitlines()
    assert [line.split()[0] for line in lines] == ["adam", "adamw"]
    assert lines[1] == f"adamw  Adam with decoupled weight decay  [trainstation-optim {ts.__version__}]"
    assert {line.split()[0] for line in invoke("list").splitlines()} >= {"adam", "adamw", "rmsprop", "sgd"}
    assert invoke("list", "no-such-*") == ""


def test_list_as_json():
    infos = json.loads(invoke("list", "--json"))
    assert {"adam", "adamw", "rmsprop", "sgd"} <= {info["name"] for info in infos}
    assert [list(info) for info in infos] == [FIELDS] * len(infos)
    assert json.loads(invoke("list", "no-such-*", "--json")) == []


def test_info():
    said = invoke("info", "AdamW")
    assert said.startswith("adamw: Adam with decoupled weight decay\n")
    for text in (
        "\n    p = p * (1 - lr * weight_decay)",
        "betas=(0.9, 0.999)",
        "rule:         adamw",
        "origin:       builtin",
    ):
        assert text in said
    for text in ("\nname:", "\nsummary:", "\naliases:"):
        assert text not in said


def test_info_as_json():
    info = json.loads(invoke("info", "trainstation/SGD", "--json"))
    assert list(info) == FIELDS
    assert (info["name"], info["distribution"], info["version"]) == ("sgd", "trainstation-optim", ts.__version__)
    assert info["defaults"]["lr"] == 1e-3


def test_cpu():
    found = ts.kernels.cpu()
    assert json.loads(invoke("cpu", "--json")) == found
    lines = invoke("cpu").splitlines()
    assert [line.partition(":")[0] for line in lines] == list(found)
    assert f"isa:      {found['isa']}" in lines


def test_cpu_obeys_the_environment(tmp_path):
    found = json.loads(fakes.command(tmp_path, "cpu", "--json", TRAINSTATION_ISA="scalar").stdout)
    assert found["isa"] == "scalar"


# Mistakes


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["list", "--nonsense"],
        ["list", "a", "b"],
        ["info"],
        ["cpu", "now"],
        ["bench", "--epochs", "0"],
        ["bench", "--epochs", "many"],
        ["bench", "--seeds", "0"],
        ["bench", "--out", __file__],
    ],
)
def test_wrong_usage_is_2(arguments):
    assert "Error: " in invoke(*arguments, code=2)


@pytest.mark.parametrize(
    "arguments", [["info"], ["info", "--json"], ["bench"], ["bench", "adam", "--json"], ["speed", "adam"]]
)
def test_an_unknown_name_is_2_and_suggests(arguments):
    said = invoke(*arguments, "adamm", code=2)
    assert said.startswith("Error: unknown optimizer 'adamm'; did you mean 'adam'")


@pytest.mark.parametrize(
    "arguments", [["cpu"], ["cpu", "--json"], ["bench", "sgd"], ["bench", "sgd", "--json"], ["speed", "sgd"]]
)
def test_an_instruction_set_that_is_not_there_is_2(tmp_path, arguments):
    done = fakes.command(tmp_path, *arguments, TRAINSTATION_ISA="bogus")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: TRAINSTATION_ISA: unknown instruction set 'bogus'; known are scalar")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_needs_no_kernel_works_without_one(tmp_path):
    done = fakes.command(tmp_path, "list", "adam", TRAINSTATION_ISA="bogus")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("puma", "'puma' of zoo-puma 6.6 is left out: ZeroDivisionError: division by zero"),
        ("zoo-puma/anything", "'puma' of zoo-puma 6.6 is left out: ZeroDivisionError: division by zero"),
        ("lazy", "'lazy' of zoo-lazy 1.0 cannot be used: ModuleNotFoundError: No module named 'zoo_no_such_module'"),
    ],
)
@pytest.mark.parametrize("arguments", [["info"], ["bench", "adam"], ["speed", "adam"]])
def test_a_broken_plugin_that_is_asked_for_is_3(zoo, arguments, name, text):
    done = fakes.command(zoo, *arguments, name)
    assert (done.returncode, done.stdout) == (3, "")
    assert text in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_unknown_name_beside_a_broken_plugin_is_2(zoo):
    assert fakes.command(zoo, "info", "jaguar").returncode == 2


def test_a_name_of_two_plugins_is_2_and_says_how_to_choose(zoo):
    done = fakes.command(zoo, "info", "lion")
    assert done.returncode == 2
    assert "zoo-one/lion" in done.stderr
    assert "zoo-two/lion" in done.stderr
    assert fakes.command(zoo, "info", "zoo-one/lion").stdout.startswith("lion: Fake: sgd by another name.\n")


def test_list_shows_all_that_is_sound(zoo):
    plain, as_json = fakes.command(zoo, "list"), fakes.command(zoo, "list", "--json")
    names = [line.split()[0] for line in plain.stdout.splitlines()]
    assert {"adam", "infinite", "sgd", "tiger", "zoo-one/lion", "zoo-two/lion"} <= set(names)
    assert "lazy" not in names
    assert "[zoo-tiger 2.5]" in plain.stdout
    infos = json.loads(as_json.stdout)
    assert len(infos) == len(names)
    assert [info["defaults"] for info in infos if info["name"] == "infinite"] == [{"lr": 1e-3, "most": None}]
    for done in (plain, as_json):
        assert done.returncode == 0
        assert sorted(done.stderr.splitlines()) == [
            "'lazy' of zoo-lazy 1.0 cannot be used: ModuleNotFoundError: No module named 'zoo_no_such_module'",
            "PluginWarning: the plugin 'puma' of zoo-puma 6.6 is left out: ZeroDivisionError: division by zero",
        ]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["ad*", "--origin", "builtin"], ["adam", "adamw"]),
        (["--exclude", "ad*", "--origin", "builtin"], ["rmsprop", "sgd"]),
        (["--tag", "adaptive", "--tag", "momentum", "--origin", "builtin"], ["adam", "adamw"]),
        (["tig*", "--origin", "plugin"], ["tiger"]),
        (["nothing*"], []),
    ],
)
def test_list_can_be_narrowed(zoo, options, names):
    done = fakes.command(zoo, "list", *options)
    assert [line.split()[0] for line in done.stdout.splitlines()] == names


def test_plugins_shows_what_came_of_each(zoo):
    plain, listed = (
        fakes.command(zoo, "plugins"),
        fakes.command(zoo, "plugins", "--json", TRAINSTATION_BLOCK="zoo-tiger"),
    )
    found = {each["distribution"]: each for each in json.loads(listed.stdout)}
    assert all(list(each) == ["name", "distribution", "version", "state", "gives", "error"] for each in found.values())
    assert (plain.returncode, listed.returncode) == (0, 0)
    assert found["zoo-infinite"]["state"] == "ok"
    assert found["zoo-infinite"]["gives"] == ["infinite"]
    assert found["zoo-one"]["gives"] == ["zoo-one/lion"]
    assert (found["zoo-one"]["state"], found["zoo-two"]["state"]) == ("conflicting", "conflicting")
    assert "'lion' is also of " in found["zoo-one"]["error"]
    assert "zoo-two" in found["zoo-one"]["error"]
    assert (found["zoo-tiger"]["state"], found["zoo-tiger"]["gives"]) == ("blocked", [])
    assert found["zoo-tiger"]["error"] == "TRAINSTATION_BLOCK names it"
    assert (found["zoo-puma"]["state"], found["zoo-puma"]["version"]) == ("broken", "6.6")
    assert found["zoo-puma"]["error"] == "ZeroDivisionError: division by zero"
    assert found["zoo-lazy"]["state"] == "broken"
    assert found["zoo-lazy"]["error"].startswith("'lazy' cannot be used: ModuleNotFoundError: ")
    lines = {tuple(line.split()[:3]) for line in plain.stdout.splitlines()}
    assert {("zoo-tiger", "2.5", "ok"), ("zoo-puma", "6.6", "broken"), ("zoo-one", "1.0", "conflicting")} <= lines
    assert "ZeroDivisionError: division by zero" in plain.stdout
    assert "Traceback" not in plain.stdout + plain.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [("trainstation info ti", "tiger"), ("trainstation bench adam rms", "rmsprop"), ("trainstation li", "list")],
)
def test_a_shell_can_complete(zoo, words, found):
    environment = {"_TRAINSTATION_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    code = "import sys; sys.argv = ['trainstation']; from trainstation.cli import main; main(prog_name='trainstation')"
    done = fakes.run(zoo, "-c", code, check=False, **environment)
    assert found in [line.partition(",")[2] for line in done.stdout.splitlines()]
    assert done.stderr == ""


def test_a_problem_that_is_not_there_is_2(tmp_path):
    done = fakes.command(tmp_path, "bench", "adam", "--problem", "chess*")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'chess*' is no problem; there are mnist5k_mlp" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["rich", "matplotlib", "threadpoolctl"])
@pytest.mark.parametrize("arguments", [["bench", "sgd"], ["speed", "sgd"], ["compare", "a", "b"]], ids=lambda a: a[0])
def test_without_the_extra_a_line_says_what_brings_it(tmp_path, arguments, module):
    code = f"import sys; sys.modules[{module!r}] = None; from trainstation.cli import main; main({arguments})"
    done = fakes.run(tmp_path, "-c", code, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: {arguments[0]} needs {module}; ")
    assert done.stderr.endswith('pip install -e ".[bench]"\n')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_folder_that_cannot_be_written_to_is_2(tmp_path, arguments):
    (tmp_path / "file").write_text("")
    said = invoke("bench", "sgd", "--epochs", "1", "--out", str(tmp_path / "file" / "out"), *arguments, code=2)
    assert said == f"Error: cannot write to {tmp_path / 'file' / 'out'}: Not a directory\n"


# Endings


@pytest.mark.parametrize(
    "arguments",
    [
        *(["list"], ["info", "adam"], ["cpu", "--json"], ["bench", "sgd", "--epochs", "1"], ["bench", "sgd", "--json"]),
        *(["speed", "sgd", "--sizes", "8", "--samples", "5"], ["speed", "sgd", "--sizes", "8", "--json"]),
    ],
)
def test_a_reader_that_has_left_is_no_news(tmp_path, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "trainstation", *arguments],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1
    assert "Error" not in done.stderr
    assert "Exception" not in done.stderr
    for path in tmp_path.glob("*/*.jsonl"):  # nor is it an optimizer's fault
        assert '"trial"' not in path.read_text()
        assert '"speed"' not in path.read_text()


def test_an_interrupt_is_130(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ts, "list_optimizers", interrupted)
    assert invoke("list", code=130).strip() == "Interrupted."


@pytest.mark.parametrize(
    "arguments",
    [
        *(("list",), ("info", "loud"), ("bench", "loud", "--epochs", "1", "--out", "out")),
        ("speed", "loud", "--sizes", "8", "--samples", "5"),
        ("problems",),
    ],
    ids=lambda a: a[0],
)
def test_json_alone_is_on_stdout_whatever_a_plugin_prints(tmp_path, arguments):
    step = "    def step(self, *args):\n        print('step')\n        return super().step(*args)\n"
    code = fakes.GOOD.format(cls="Loud", name="loud", module="loud_plugin")
    code = code.replace("@ts.hookimpl", f"{step}print('import')\n@ts.hookimpl")
    fakes.distribution(tmp_path, "loud", module="loud_plugin", code=code)
    done = fakes.command(tmp_path, *arguments, "--json", OPENBLAS_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert "import" in done.stderr
    for line in done.stdout.splitlines():
        json.loads(line)


def test_the_leaderboard_is_shown_without_running_anything(tmp_path):
    done = fakes.command(tmp_path, "leaderboard")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for name in ("soap", "lion", "adamw", "rprop"):  # none of the plugins is installed here
        assert any(line.split()[:1] == [name] for line in done.stdout.splitlines())
    assert "Packaged results, measured on " in done.stdout
    assert not (tmp_path / "trainstation-bench").exists()
    listed = json.loads(fakes.command(tmp_path, "leaderboard", "--json").stdout)
    assert len(listed) == 26
    assert {"optimizer", "score_steps", "verdict_steps", "speedup_steps", "n"} <= set(listed[0])
