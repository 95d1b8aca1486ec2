"""Who asks for an optimizer that one of our own distributions would bring is told which, and how it comes."""

import json
import warnings

import fakes
import pytest
from click.testing import CliRunner

import trainstation as ts
from benchmarks import names
from trainstation.cli import main
from trainstation.registry.first_party import TABLE
from trainstation.testing import isolated_plugins

CLONE = "in a clone of trainstation: pip install"
LION = f"unknown optimizer {{!r}}: trainstation-lion brings it; {CLONE} ./plugins/trainstation-lion"


@pytest.fixture(autouse=True)
def every_plugin_may_be_loaded(monkeypatch):
    for variable in ("TRAINSTATION_PLUGINS", "TRAINSTATION_BLOCK"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def bare(tmp_path):
    """Nothing is installed but what a test puts into `tmp_path / "site"`."""
    with isolated_plugins(tmp_path / "site") as plugins:
        yield plugins


def said(call, name):
    with pytest.raises(ts.UnknownOptimizerError) as caught:
        call(name)
    return str(caught.value)


def test_the_table_is_up_to_date():
    assert TABLE.read_text(encoding="utf-8") == names.table(), "python -m benchmarks names writes it anew"


def test_no_table_is_written_without_the_names_of_a_plugin(monkeypatch):
    monkeypatch.setenv("TRAINSTATION_BLOCK", "trainstation-lion")
    said = CliRunner().invoke(names.main)
    assert (said.exit_code, said.stderr) == (1, "Error: no optimizer was found of trainstation-lion\n")


def test_the_table_has_every_name_and_alias_of_every_plugin():
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert set(table) == {path.parent.name for path in names.PLUGINS.glob("*/pyproject.toml")}
    assert table["trainstation-lion"] == ["clion", "lion"]
    assert {"cautious_adamw", "cadamw"} <= set(table["trainstation-modern"])  # one is an alias
    assert "torch.adam_fused" in table["trainstation-peers"]


def test_the_command_writes_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "TABLE", tmp_path / "table.json")
    assert CliRunner().invoke(names.main).exit_code == 0
    assert (tmp_path / "table.json").read_text(encoding="utf-8") == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("call", [ts.create_optimizer, ts.get_optimizer, ts.optimizer_info])
@pytest.mark.parametrize("name", ["lion", "Lion", "trainstation-lion/lion", "Trainstation_Lion/LION"])
def test_a_name_that_is_not_installed(bare, call, name):
    assert said(call, name) == LION.format(name)


def test_an_alias_and_a_peer(bare):
    assert "'cadamw': trainstation-modern brings it; " in said(ts.get_optimizer, "cadamw")
    assert "'Torch.Adam': trainstation-peers brings it; " in said(ts.get_optimizer, "Torch.Adam")


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("lionn", "'lion' of trainstation-lion or 'clion' of trainstation-lion? (in a clone of trainstation: "),
        ("zoo/lion", "'lion' of trainstation-lion or 'clion' of trainstation-lion? (in a clone of trainstation: "),
        # What is here is likelier, unless the other is nearly right.
        ("adamm", "'adam' or 'adamw'? (`trainstation list` shows all)"),
        ("adma", "'adam' or 'adamw'? (`trainstation list` shows all)"),
        ("adamaxx", "'adamax' of trainstation-classics or "),
    ],
)
def test_a_near_miss(bare, wrong, hint):
    assert said(ts.get_optimizer, wrong).startswith(f"unknown optimizer {wrong!r}; did you mean {hint}")


def test_near_names_of_several_distributions_come_by_one_command(bare):
    near = "'lamb' of trainstation-lamb or 'adamax' of trainstation-classics"
    assert said(ts.get_optimizer, "lama") == (
        f"unknown optimizer 'lama'; did you mean {near}? "
        f"({CLONE} ./plugins/trainstation-classics ./plugins/trainstation-lamb)"
    )


def test_what_is_installed_is_not_to_be_installed(tmp_path, bare):
    fakes.good(tmp_path, "zoo", "lion", "zoo_lion")
    assert ts.optimizer_info("lion").distribution == "zoo"
    assert said(ts.get_optimizer, "trainstation-lion/lion").startswith(
        "unknown optimizer 'trainstation-lion/lion'; did you mean 'lion'"
    )


@pytest.mark.parametrize("reason", ["blocked", "broken"])
def test_what_is_left_out_is_not_to_be_installed_either(tmp_path, bare, monkeypatch, reason):
    fakes.distribution(tmp_path, "trainstation_lion", module="left_out_lion", code="1 / 0")
    if reason == "blocked":
        monkeypatch.setenv("TRAINSTATION_BLOCK", "trainstation-lion")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ts.PluginWarning)
        text = said(ts.get_optimizer, "lion")
    assert "pip install" not in text
    assert "trainstation-lion" not in text


def test_the_table_is_not_read_for_a_name_that_is_known(tmp_path):
    code = """
        import sys
        from pathlib import Path
        import trainstation as ts
        read = Path.read_text
        Path.read_text = lambda path, **options: read(path, **options) if path.suffix != ".json" else sys.exit("read")
        ts.create_optimizer("adam"), ts.list_optimizers("adam")
    """
    assert fakes.python(tmp_path, code, TRAINSTATION_PLUGINS="").stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "lion"],
        ["check", "lion"],
        ["bench", "adam", "lion", "--epochs", "1"],
        ["speed", "lion"],
        ["tune", "lion"],
    ],
)
def test_every_command_says_it(tmp_path, bare, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stderr) == (2, f"Error: {LION.format('lion')}\n")
    assert list(tmp_path.iterdir()) == []
