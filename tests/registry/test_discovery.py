import importlib.metadata
import json
import sys
import textwrap
import threading

import fakes
import pytest

import trainstation as ts
from trainstation.bench.problems import BUILTIN, find_problems
from trainstation.registry import lookup
from trainstation.testing import isolated_plugins

SPEC = "ts.OptimizerSpec({}, 'json:JSONDecoder')"
# code of a plugin's module -> what is said of it
BROKEN = {
    "import no_such_module_at_all": "ModuleNotFoundError: No module named 'no_such_module_at_all'",
    "def f(:": "SyntaxError",
    "raise SystemExit(3)": "SystemExit: 3",
    fakes.HOOK + "raise ValueError('no lions today')": "ValueError: no lions today",
    fakes.HOOK + "return None": "must return a list of OptimizerSpecs, not None",
    fakes.HOOK + "return 'lion'": "must return a list of OptimizerSpecs, not 'lion'",
    fakes.HOOK + f"return [{SPEC.format(repr('half'))}, 3]": "must return a list of OptimizerSpecs",
    fakes.HOOK + f"return [{SPEC.format(repr('half'))}, {SPEC.format(repr('a b'))}]": "'a b' is not a name",
    fakes.HOOK + f"return [{SPEC.format(repr('half'))}] * 2": "registers 'half' twice",
    fakes.HOOK.replace("optimizers", "optimizer") + "return []": "no function trainstation_optimizers",
    fakes.HOOK.replace("optimizers", "optimizer") + "pass": "did you mean 'trainstation_optimizers'?",
    fakes.HOOK.replace("()", "(zoo)") + "return []": "zoo",
    "TRAINSTATION_API = 2\n" + fakes.HOOK + "return []": "written for version 2 of the plugin interface",
}


@pytest.fixture
def fresh(tmp_path):
    """Discovery that has not begun, with only `tmp_path` on its path."""
    with isolated_plugins(tmp_path / "site") as plugins:
        yield plugins


def states():
    """Return what came of each distribution that has one plugin."""
    return {plugin.distribution: plugin.state for plugin in lookup.list_plugins()}


def test_an_installed_plugin_is_found(tmp_path):
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "trainstation_tiger", "2.5")
    code = """
        import json, dataclasses, trainstation as ts
        print(ts.create_optimizer("Tiger", [ts.Tensor.ones(2, requires_grad=True)], lr=0.25).learning_rate())
        print(json.dumps(dataclasses.asdict(ts.optimizer_info("trainstation-tiger/tiger"))))
        print(*ts.list_optimizers())
        print(*ts.list_optimizers(origin="plugin", pattern="ti*"))
    """
    rate, info, names, third = fakes.python(tmp_path, code).stdout.splitlines()
    info = json.loads(info)
    assert rate == "0.25"
    assert (info["distribution"], info["version"], info["origin"]) == ("trainstation-tiger", "2.5", "plugin")
    assert (info["module"], info["file"]) == ("trainstation_tiger", str(tmp_path / "site" / "trainstation_tiger.py"))
    assert (info["summary"], info["rule"]) == ("Fake: sgd by another name.", "sgd")
    assert set(names.split()) >= {"adam", "adamw", "rmsprop", "sgd", "tiger"}
    assert third == "tiger"


@pytest.mark.parametrize(("code", "reason"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_broken_plugin_is_left_out_and_named(tmp_path, code, reason):
    fakes.distribution(tmp_path, "trainstation-broken", "6.6", module="broken_module", code=code)
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "trainstation_tiger")
    code = """
        import traceback, warnings
        import trainstation as ts
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            names = ts.list_optimizers(), ts.list_optimizers()
            try:
                ts.create_optimizer("half")
            except ts.UnknownOptimizerError:
                print(traceback.format_exc())
            ts.create_optimizer("tiger"), ts.create_optimizer("adam")
        assert names[0] == names[1] and {"adam", "tiger"} <= set(names[0])
        [warning] = [w for w in caught if w.category is ts.PluginWarning]
        print("warning:", warning.message)
    """
    note, _, warning = fakes.python(tmp_path, code).stdout.partition("warning: ")
    for text in (note, warning):
        assert "'broken_module' of trainstation-broken 6.6 is left out: " in text
        assert reason in text


def test_a_warning_that_is_an_error_stops_no_other_plugin(tmp_path):
    for name in ("a", "c"):
        fakes.distribution(tmp_path, f"broken-{name}", module=f"broken_{name}", code="1 / 0")
    fakes.good(tmp_path, "b-tiger", "tiger", "tiger_module")
    code = """
        import trainstation as ts
        try:
            ts.list_optimizers()
        except ts.PluginWarning as warning:
            print("ZeroDivisionError" in str(warning))
        print(*ts.list_optimizers("tiger"))
    """
    assert fakes.python(tmp_path, code, "-W", "error::UserWarning").stdout == "True\ntiger\n"


def test_what_is_left_of_an_installation_is_survived(tmp_path, fresh):
    fakes.distribution(tmp_path, "nameless", metadata="")
    (tmp_path / "site" / "gone-1.0.dist-info").mkdir()
    garbled = fakes.distribution(tmp_path, "garbled", points={"a": "1"})
    (garbled / "entry_points.txt").write_bytes(b"[trainstation\xff")
    fakes.distribution(tmp_path, "unreadable", points={"a": "not an entry point!"})
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "tiger_of_rest")
    with pytest.warns(ts.PluginWarning) as caught:
        assert "tiger" in ts.list_optimizers()
    assert states() == {"garbled": "broken", "trainstation-tiger": "ok", "unreadable": "broken"}
    assert len(caught) == 2


# A built-in's name


def test_a_builtins_name_never_scans(tmp_path):
    fakes.distribution(tmp_path, "evil", module="evil_module", code="print('imported')")
    code = """
        import importlib.metadata

        def forbidden(*args, **kwargs):
            raise AssertionError("scanned")

        importlib.metadata.distributions = importlib.metadata.entry_points = forbidden
        importlib.metadata.Distribution.discover = forbidden
        import trainstation as ts
        for name in ("adam", "AdamW", "trainstation/sgd", "trainstation-optim/sgd", "rmsprop"):
            ts.create_optimizer(name)
            ts.get_optimizer(name)
        ts.register_optimizer(ts.optimizers.SGD, name="mine")
        try:
            ts.list_optimizers()
        except AssertionError as error:
            print(error)
    """
    assert fakes.python(tmp_path, code).stdout == "scanned\n"


def test_a_plugin_cannot_change_what_a_builtins_name_means(tmp_path, fresh):
    fakes.good(tmp_path, "evil", "adam", "evil_adam")
    fakes.good(tmp_path, "wicked", "Adam", "wicked_adam")
    with pytest.warns(ts.PluginWarning) as caught:
        names = ts.list_optimizers()
    assert names == ["adam", "adamw", "evil/adam", "rmsprop", "sgd", "wicked/adam"]
    assert sorted(str(warning.message) for warning in caught) == [
        f"{each} 1.0 registers 'adam', which is and stays the built-in; its own is {each}/adam"
        for each in ("evil", "wicked")
    ]
    assert states() == {"evil": "conflicting", "wicked": "conflicting"}
    for name in ("adam", "trainstation-optim/adam", "trainstation/adam"):  # the last one is the former name
        assert ts.get_optimizer(name) is ts.optimizers.Adam
    assert ts.optimizer_info("Adam").distribution == "trainstation-optim"
    assert ts.optimizer_info("evil/adam").distribution == "evil"
    assert ts.get_optimizer("wicked/adam") is not ts.optimizers.Adam


@pytest.mark.parametrize("name", ["trainstation-optim", "Trainstation_Optim", "trainstation", "TrainStation"])
def test_our_own_entry_point_is_not_registered_twice_nor_that_of_a_former_version(tmp_path, fresh, name):
    fakes.distribution(tmp_path, name, "9.9", points={"builtin": "trainstation.registry.builtin"})
    assert ts.list_optimizers() == ["adam", "adamw", "rmsprop", "sgd"]
    assert ts.list_optimizers(origin="plugin") == []
    assert states() == {}


def test_our_own_entry_point_names_the_builtins():
    [point] = [
        point
        for point in importlib.metadata.distribution("trainstation-optim").entry_points
        if point.group == "trainstation"
    ]
    assert [spec.name for spec in point.load().trainstation_optimizers()] == ["adam", "adamw", "sgd", "rmsprop"]


# Several distributions


def test_another_distribution_of_our_former_name_is_no_plugin(tmp_path, fresh):
    fakes.good(tmp_path, "trainstation", "lynx", "foreign_module")
    assert ts.list_optimizers(origin="plugin") == []
    assert "foreign_module" not in sys.modules
    with pytest.raises(ts.UnknownOptimizerError):
        ts.get_optimizer("trainstation/lynx")


def test_two_plugins_with_one_name_are_both_listed_and_chosen_by_distribution(tmp_path, fresh):
    fakes.good(tmp_path, "one-lion", "lion", "one_lion_module", cls="One")
    fakes.good(tmp_path, "two-lion", "lion", "two_lion_module", cls="Two")
    for call in (ts.create_optimizer, ts.get_optimizer, ts.optimizer_info):
        with pytest.raises(
            ts.DuplicateOptimizerError, match=r"one-lion/lion or two-lion/lion|two-lion/lion or one-lion/lion"
        ):
            call("lion")
    assert ts.list_optimizers("lion") == ["one-lion/lion", "two-lion/lion"]
    assert [ts.get_optimizer(name).__name__ for name in ts.list_optimizers("lion")] == ["One", "Two"]


def test_a_script_and_a_plugin_with_one_name_are_a_duplicate(tmp_path, fresh):
    fakes.good(tmp_path, "one-lion", "lion", "one_lion_module", cls="One")
    ts.register_optimizer(ts.optimizers.SGD, name="lion")
    with pytest.raises(ts.DuplicateOptimizerError, match="__main__/lion or one-lion/lion"):
        ts.get_optimizer("lion")
    assert ts.get_optimizer("__main__/lion") is ts.optimizers.SGD
    ts.unregister_optimizer("lion")
    assert ts.get_optimizer("lion").__name__ == "One"


@pytest.mark.parametrize("spelling", ["trainstation-tiger", "Trainstation.Tiger"])
def test_a_distribution_that_is_there_twice_counts_once(tmp_path, spelling):
    first, second = tmp_path / "first", tmp_path / "second"
    fakes.good(first, "trainstation-tiger", "tiger", "tiger_module", "2.0")
    fakes.good(second, spelling, "tiger", "tiger_module", "1.0")
    code = """
        import trainstation as ts
        print(ts.optimizer_info("tiger").version, *ts.list_optimizers("tiger"))
    """
    assert fakes.python(first, code, paths=[first, second]).stdout == "2.0 tiger\n"


def test_a_distribution_may_have_several_plugins(tmp_path, fresh):
    fakes.distribution(tmp_path, "zoo", points={"a": "zoo_cats", "b": "zoo_dogs", "c": "zoo_none"})
    (tmp_path / "site" / "zoo_cats.py").write_text(fakes.GOOD.format(cls="Cat", name="cat", module="zoo_cats"))
    (tmp_path / "site" / "zoo_dogs.py").write_text(fakes.GOOD.format(cls="Dog", name="dog", module="zoo_dogs"))
    with pytest.warns(ts.PluginWarning, match="'c' of zoo 1.0"):
        names = ts.list_optimizers(origin="plugin")
    assert names == ["cat", "dog"]


# When it scans


def test_sixteen_threads_scan_once(tmp_path, fresh, monkeypatch):
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "shared_tiger")
    found, scans = importlib.metadata.distributions, []
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **options: scans.append(1) or found(**options))
    barrier, classes = threading.Barrier(16), []

    def look_up():
        barrier.wait()
        classes.append(ts.get_optimizer("tiger"))

    threads = [threading.Thread(target=look_up) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(classes) == 16
    assert len(set(classes)) == len(scans) == 1


def test_a_plugin_may_look_up_names_while_it_is_loaded(tmp_path, fresh):
    code = "import trainstation as ts\nprint(ts.list_optimizers(), ts.get_optimizer('adam'))\n"
    code += fakes.GOOD.format(cls="Fake", name="tiger", module="curious_tiger")
    fakes.distribution(tmp_path, "trainstation-tiger", module="curious_tiger", code=code)
    assert ts.get_optimizer("tiger").__name__ == "Fake"


@pytest.mark.parametrize("where", ["import", "hook"])
def test_a_scan_that_is_interrupted_is_done_again(tmp_path, fresh, where):
    once = "asked = hasattr(sys, 'asked'); sys.asked = True\n{0}if not asked: raise KeyboardInterrupt\n{0}"
    spec = "return [ts.OptimizerSpec('puma', 'json:JSONDecoder')]"
    if where == "import":
        code = "import sys; " + once.format("") + fakes.HOOK + spec
    else:
        code = "import sys\n" + fakes.HOOK + once.format("    ") + spec
    fakes.good(tmp_path, "a-tiger", "tiger", f"first_tiger_{where}")
    fakes.distribution(tmp_path, "a-zebra", module=f"zebra_{where}", code=PROBLEMS.format(name="zebra"))
    fakes.distribution(tmp_path, "b-puma", module=f"second_puma_{where}", code=code)
    for number in range(5):
        fakes.distribution(tmp_path, f"broken-{number}", points={"a": "no_such_module"})
    try:
        with pytest.raises(KeyboardInterrupt):
            ts.list_optimizers()
        with pytest.warns(ts.PluginWarning) as caught:
            assert ts.list_optimizers(origin="plugin") == ["puma", "tiger"]
    finally:
        del sys.asked
    assert len(caught) == list(states().values()).count("broken") == 5
    assert states()["a-zebra"] == "ok"
    assert "zebra" in find_problems()


def test_the_class_of_a_plugin_is_imported_when_it_is_used(tmp_path, fresh):
    code = fakes.HOOK + "return [ts.OptimizerSpec('tiger', 'heavy_tiger:Tiger')]"
    fakes.distribution(tmp_path, "trainstation-tiger", module="light", code=code)
    (tmp_path / "site" / "heavy_tiger.py").write_text("raise SystemExit(1)")
    assert "tiger" in ts.list_optimizers()
    for call in (ts.create_optimizer, ts.get_optimizer, ts.optimizer_info):
        with pytest.raises(ImportError, match=r"SystemExit\(1\) while 'tiger' of trainstation-tiger 1.0 was imported"):
            call("tiger")


def test_a_plugin_refuses_an_unknown_keyword(tmp_path, fresh):
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "strict_tiger")
    with pytest.raises(TypeError, match="stripes"):
        ts.create_optimizer("tiger", stripes=7)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("puma", True),
        ("Trainstation-Puma", True),
        ("trainstation.puma/cat", True),
        ("cat", False),
        ("other/puma", False),
    ],
)
def test_which_broken_plugin_a_name_was_meant_to_come_from(tmp_path, fresh, name, found):
    fakes.distribution(tmp_path, "trainstation-puma", "3.0", points={"puma": "no_such_puma"})
    with pytest.warns(ts.PluginWarning), pytest.raises(ts.UnknownOptimizerError):
        ts.get_optimizer(name)
    broken = lookup.broken_plugin(name)
    assert broken.startswith("the plugin 'puma' of trainstation-puma 3.0 is left out") if found else broken == ""


# What is not loaded


def test_only_what_the_environment_names(tmp_path):
    for name in ("one", "two", "Three.cats"):
        fakes.good(tmp_path, name, f"zoo_{name[:3]}", f"module_{name[:3]}")
    code = """
        import json, sys, warnings, trainstation as ts
        from trainstation.registry import lookup
        warnings.simplefilter("ignore")
        names = ts.list_optimizers("zoo_*")
        modules = [name for name in sys.modules if name.startswith("module_")]
        states = {each.distribution: f"{each.state} {each.error}" for each in lookup.list_plugins()}
        try:
            ts.get_optimizer("two")
        except ts.UnknownOptimizerError as error:
            notes = getattr(error, "__notes__", [])
        print(json.dumps([names, sorted(modules), states, notes, ts.get_optimizer("adam").__name__]))
    """
    only, block = "TRAINSTATION_PLUGINS", "TRAINSTATION_BLOCK"
    for environment, wanted in [
        ({only: "one, three-cats"}, {"one", "Three.cats"}),
        ({only: ""}, set()),
        ({block: "TWO"}, {"one", "Three.cats"}),
        ({only: "one,two", block: "two"}, {"one"}),
        ({block: ""}, {"one", "two", "Three.cats"}),
    ]:
        names, modules, states, notes, adam = json.loads(fakes.python(tmp_path, code, **environment).stdout)
        given = sorted(name[:3] for name in wanted)
        assert names == sorted(f"zoo_{name}".lower() for name in given)
        assert modules == [f"module_{name}" for name in given]
        assert {name for name in ("one", "two", "Three.cats") if states[name] == "ok "} == wanted
        assert adam == "Adam"
        if "two" not in wanted:
            assert states["two"].startswith("blocked TRAINSTATION_")
            assert notes[0].startswith("the plugin 'module_two' of two is blocked: TRAINSTATION_")


def test_a_name_in_the_environment_that_is_not_installed_is_said(tmp_path):
    code = "import trainstation as ts; ts.list_optimizers()"
    for variable in ("TRAINSTATION_PLUGINS", "TRAINSTATION_BLOCK"):
        text = fakes.python(tmp_path, code, **{variable: "no-such-thing"}).stderr
        assert f"{variable} names 'no-such-thing', which is not installed" in text


@pytest.mark.parametrize("start", ["command", "module", "script", "script elsewhere", "path"])
def test_what_lies_where_python_is_started_is_not_installed(tmp_path, start):
    stray, elsewhere = tmp_path / "stray" / "site", tmp_path / "elsewhere"
    fakes.distribution(
        tmp_path / "stray", "stray", module="stray_module", code="print('imported')\n" + fakes.HOOK + "return []"
    )
    elsewhere.mkdir()
    program = "import trainstation as ts; print(*ts.list_optimizers(origin='plugin'))"
    (stray / "program.py").write_text(program)
    arguments = {
        "command": ["-c", program],
        "module": ["-m", "trainstation", "list", "--origin", "plugin"],
        "script": ["program.py"],
        "script elsewhere": [str(stray / "program.py")],
        "path": ["-c", program],
    }[start]
    where = elsewhere if start == "script elsewhere" else stray
    options = {"PYTHONPATH": str(stray)} if start == "path" else {}
    done = fakes.run(where, *arguments, paths=[], **options)
    assert "imported" not in done.stdout
    assert "stray" not in done.stdout + done.stderr


def test_site_packages_may_be_where_python_is_started(tmp_path):
    """A virtual environment of its own would be slow: its one place for packages is told to Python instead."""
    fakes.good(tmp_path, "trainstation-tiger", "tiger", "tiger_at_home")
    code = """
        import os, sys, sysconfig
        paths = sysconfig.get_paths()
        sysconfig.get_paths = lambda: {**paths, "purelib": os.getcwd()}
        sys.path.append(os.getcwd())
        import trainstation as ts
        print(*ts.list_optimizers("tiger"))
    """
    assert fakes.run(tmp_path / "site", "-c", textwrap.dedent(code), paths=[]).stdout == "tiger\n"


# Hooks


def test_a_hook_that_is_not_known_is_said_and_the_others_work(tmp_path, fresh):
    code = fakes.GOOD.format(cls="Fake", name="tiger", module="two_hooks")
    code += "\n@ts.hookimpl\ndef trainstation_problem():\n    return []\n"
    fakes.distribution(tmp_path, "trainstation-tiger", module="two_hooks", code=code)
    with pytest.warns(ts.PluginWarning, match=r"trainstation-tiger 1.0 has the unknown hook 'trainstation_problem'"):
        assert "tiger" in ts.list_optimizers()
    assert states() == {"trainstation-tiger": "ok"}


PROBLEMS = """
import trainstation as ts
from trainstation.bench.problems import MnistMLP, Problem

@ts.hookimpl
def trainstation_problems():
    return [Problem("{name}", "fake", "accuracy", 63, MnistMLP)]
"""


def test_a_plugin_may_bring_problems(tmp_path, fresh):
    fakes.distribution(tmp_path, "zoo", module="zoo_problems", code=PROBLEMS.format(name="zebra"))
    fakes.distribution(tmp_path, "evil", module="evil_problems", code=PROBLEMS.format(name="mnist5k_mlp"))
    fakes.distribution(tmp_path, "more", module="more_problems", code=PROBLEMS.format(name="x"))
    fakes.distribution(tmp_path, "fox-one", module="one_fox", code=PROBLEMS.format(name="fox"))
    fakes.distribution(tmp_path, "fox-two", module="two_fox", code=PROBLEMS.format(name="fox"))
    fakes.distribution(tmp_path, "torn", module="torn_problems", code=PROBLEMS.replace("[Problem", "[3, Problem"))
    fakes.distribution(tmp_path, "worn", module="worn_problems", code=PROBLEMS.replace("[Problem", "1 / 0, [Problem"))
    with pytest.warns(ts.PluginWarning) as caught:
        problems = find_problems()
    assert list(problems) == [*BUILTIN, "evil/mnist5k_mlp", "fox-one/fox", "fox-two/fox", "x", "zebra"]
    assert problems["mnist5k_mlp"].summary != "fake"
    broken = {plugin.distribution: plugin.error for plugin in lookup.list_plugins() if plugin.state == "broken"}
    assert broken == {
        "torn": "TypeError: trainstation_problems() must return a list of Problems, not 3",
        "worn": "ZeroDivisionError: division by zero",
    }
    assert len(caught) == len(broken)


def test_a_target_that_is_no_optimizer_is_found_when_asked_for(tmp_path, fresh):
    code = (
        fakes.HOOK
        + "return [ts.OptimizerSpec('json', 'json:JSONDecoder'), ts.OptimizerSpec('fine', ts.optimizers.SGD)]"
    )
    fakes.distribution(tmp_path, "zoo", module="zoo_json", code=code)
    assert states() == {"zoo": "ok"}
    [info] = lookup.list_plugins(load=True)
    assert info.state == "broken"
    assert states() == {"zoo": "ok"}  # the others can be used
    assert info.error.startswith(
        "'json' cannot be used: TypeError: the target of 'json' is <class 'json.decoder.JSONDecoder'>"
    )
    assert ts.get_optimizer("fine") is ts.optimizers.SGD


# All at once


def test_a_hostile_environment_changes_no_result_of_a_builtin(tmp_path):
    """Broken import, SystemExit, a duplicate of adam and of lion, misspelt, blocked, Cyrillic, 10,000 specs."""
    report = """
        import dataclasses, json, sys, warnings, trainstation as ts
        warnings.simplefilter("ignore")
        first = {}
        names = ts.list_optimizers(origin="builtin")
        for name in ("adam", "adamw", "sgd", "rmsprop"):
            first[name] = dataclasses.asdict(ts.optimizer_info(name))
            p = ts.Tensor.ones(5, requires_grad=True)
            optimizer = ts.create_optimizer(name, [p])
            (p * p).sum().backward()
            optimizer.step()
            first[name]["p"] = p.data.tobytes().hex()
        print(json.dumps([names, first], default=str))
    """
    (tmp_path / "clean").mkdir()
    clean = fakes.python(tmp_path / "clean", report).stdout
    site = tmp_path / "hostile"
    fakes.distribution(site, "broken", module="broken_module", code="import no_such_module")
    fakes.distribution(site, "exits", module="exits_module", code="raise SystemExit(3)")
    fakes.good(site, "evil", "adam", "evil_module")
    fakes.good(site, "lion-one", "lion", "lion_one")
    fakes.good(site, "lion-two", "lion", "lion_two")
    fakes.distribution(
        site, "typo", module="typo_module", code=fakes.HOOK.replace("optimizers", "optimisers") + "return []"
    )
    fakes.good(site, "blocked", "sgd", "blocked_module")
    fakes.good(site, "cyrillic", "\u0430dam", "cyrillic_module")
    spec = "ts.OptimizerSpec(f'name{i}', ts.optimizers.SGD, aliases=(f'alias{i}',))"
    many = f"return [{spec} for i in range(10_000)]"
    fakes.distribution(site, "many", module="many_module", code=fakes.HOOK + many)
    assert fakes.python(site, report, TRAINSTATION_BLOCK="blocked").stdout == clean
    listed = json.loads(fakes.command(site, "plugins", "--json", TRAINSTATION_BLOCK="blocked").stdout)
    assert {
        each["distribution"]: each["state"] for each in listed if not each["distribution"].startswith("trainstation-")
    } == {
        **dict.fromkeys(["broken", "cyrillic", "exits", "typo"], "broken"),
        **dict.fromkeys(["evil", "lion-one", "lion-two"], "conflicting"),
        "blocked": "blocked",
        "many": "ok",
    }


def test_of_many_plugins_only_light_modules_are_imported(tmp_path):
    for number in range(300):
        code = fakes.HOOK + f"return [ts.OptimizerSpec('zoo{number}', 'heavy_{number}:Zoo')]"
        fakes.distribution(tmp_path, f"zoo-{number}", module=f"light_{number}", code=code)
        (tmp_path / "site" / f"heavy_{number}.py").write_text(fakes.GOOD.format(cls="Zoo", name="x", module="y"))
    code = """
        import sys, trainstation as ts
        print(len(ts.list_optimizers("zoo*")), sum(name.startswith("heavy") for name in sys.modules))
        ts.create_optimizer("zoo7")
        print(*(name for name in sys.modules if name.startswith("heavy")))
    """
    assert fakes.python(tmp_path, code).stdout == "300 0\nheavy_7\n"
