"""`trainstation new`: what it writes, that its tests can fail, and what it refuses."""

import difflib
import errno
import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import fakes
import pytest
from click.testing import CliRunner

from trainstation.cli import new as command

LION = Path(__file__).parents[2] / "plugins" / "trainstation-lion"
CLASSICS = LION.with_name("trainstation-classics")
NUMPY = [
    *(".github/workflows/tests.yml", ".gitignore", "LICENSE", "README.md", "pyproject.toml"),
    *("src/trainstation_my_adam/__init__.py", "src/trainstation_my_adam/my_adam.py", "tests/test_optimizer.py"),
]
KERNEL = [
    *("kernels/CMakeLists.txt", "kernels/isa_avx2.c", "kernels/isa_avx512.c", "kernels/isa_neon.c"),
    *("kernels/isa_scalar.c", "kernels/plugin.c", "kernels/rule.h", "tests/test_rule.py"),
]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments, code=0):
    """Run the command; stdout, or stderr if it fails."""
    result = CliRunner().invoke(command.new, arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stdout if code == 0 else result.stderr


def texts(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


# What it writes


@pytest.mark.parametrize(("flags", "files"), [([], NUMPY), (["--with-kernel"], sorted([*NUMPY, *KERNEL]))])
def test_writes_a_whole_distribution_and_says_what_and_how_to_go_on(flags, files):
    said = new("My-Adam", *flags).splitlines()
    written = texts("trainstation-my-adam")
    assert list(written) == files
    assert said[0] == "Wrote to trainstation-my-adam:"
    assert [line.strip() for line in said[1 : said.index("")]] == files
    assert [line.strip() for line in said[-4:]] == [
        *("cd trainstation-my-adam", "pip install -e .", "python -m pytest", "trainstation check my_adam")
    ]
    for name, text in written.items():
        assert not re.search("my.?optimizer", name + text, re.IGNORECASE), name
        assert text.endswith("\n"), name

    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert project["name"] == "trainstation-my-adam"
    assert project["dependencies"] == ["trainstation-optim>=0.1"]
    assert project["entry-points"] == {"trainstation": {"my_adam": "trainstation_my_adam"}}
    assert "class MyAdam(Optimizer):" in written["src/trainstation_my_adam/my_adam.py"]
    assert "The authors of trainstation-my-adam" in written["LICENSE"]


def test_json_is_the_list_of_files():
    listed = json.loads(new("my_adam", "some/where", "--json"))
    assert listed == [f"some/where/{name}" for name in NUMPY]
    assert all(Path(name).is_file() for name in listed)


def test_the_rule_in_c_is_all_that_differs_and_its_build_is_lions():
    new("panther", "numpy")
    new("panther", "kernel", "--with-kernel")
    numpy, kernel = texts("numpy"), texts("kernel")
    module = "src/trainstation_panther/panther.py"
    changes = list(difflib.ndiff(*(each[module].splitlines() for each in (numpy, kernel))))
    assert [line for line in changes if line.startswith("- ")] == [f"- {numpy[module].splitlines()[0]}"]
    assert '+     rule = "panther"' in changes
    assert [name for name in NUMPY if name in numpy.keys() & kernel.keys() and numpy[name] != kernel[name]] == [
        *(".github/workflows/tests.yml", "README.md", "pyproject.toml")
    ]
    for name in KERNEL[:-2]:
        lions = (LION / name).read_text()
        assert kernel[name] == lions.replace("lion.h", "rule.h").replace("lion", "panther"), name
        assert (CLASSICS / name).read_text() == lions.replace("lion", "classics"), name


@pytest.mark.parametrize("text", ["b\n", "a\na\n"])
def test_a_diff_changes_only_what_is_there_once(text):
    assert command.patched("a\nb\nc\n", "-a\n+d\n@@\n c\n+\n") == "d\nb\nc\n\n"
    with pytest.raises(ValueError, match="there once"):
        command.patched(text, "-a\n+d\n")


def test_what_a_linter_has_left_among_the_templates_is_not_written(monkeypatch, empty_folder):
    copy = shutil.copytree(command.TEMPLATES, empty_folder / "templates", ignore=shutil.ignore_patterns("*cache*"))
    for place in (".ruff_cache/0.1", "src/__pycache__"):
        (copy / "numpy" / place).mkdir(parents=True)
        (copy / "numpy" / place / "junk").write_bytes(b"\xff")
    monkeypatch.setattr(command, "TEMPLATES", copy)
    new("my_adam")
    assert list(texts("trainstation-my-adam")) == NUMPY


# Its tests


@pytest.fixture
def installed(empty_folder):
    """The distribution, as if it was installed: its folder, and a function that runs an interpreter there."""
    new("my_adam")
    folder = empty_folder / "trainstation-my-adam"
    fakes.distribution(empty_folder, "trainstation-my-adam", "0.1.0", points={"my_adam": "trainstation_my_adam"})
    (empty_folder / "site/trainstation_my_adam").symlink_to(folder / "src/trainstation_my_adam")

    def run(*arguments):
        return fakes.run(folder, *arguments, paths=[empty_folder], check=False, PYTHONDONTWRITEBYTECODE="1")

    return folder, run


def test_its_tests_pass_without_torch(installed, empty_folder):
    _, run = installed
    (empty_folder / "site/torch.py").write_text("raise ImportError('there is none')")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 50


@pytest.mark.parametrize(
    ("line", "other", "test"),
    [
        ("p -= lr * sign(m)", "p -= lr * sign(g)", "test_follows_its_equations"),
        ("p *= keep", "p *= keep * keep", "test_follows_its_equations"),
        ('hyper["momentum"] < 1', 'hyper["momentum"] <= 1', "test_refuses_what_is_out_of_range"),
        ("m[...] = flush(", "g += 1e-3 * g\n        m[...] = flush(", "test_does_what_every_optimizer_does"),
        ('"momentum": momentum, ', '"momentum": momentum / 2, ', "test_does_what_every_optimizer_does"),
    ],
)
def test_its_tests_see_a_mistake(installed, line, other, test):
    folder, run = installed
    module = folder / "src/trainstation_my_adam/my_adam.py"
    text = module.read_text()
    assert text.count(line) == 1
    module.write_text(text.replace(line, other))
    done = run("-m", "pytest", "-rA", "-p", "no:cacheprovider", "-k", f"{test} or is_found_by_name")
    found = re.findall(r"^(PASSED|FAILED|ERROR) .*::(\w+)", done.stdout, re.MULTILINE)
    assert ("PASSED", "test_is_found_by_name_after_installation") in found, done.stdout
    assert {name for verdict, name in found if verdict == "FAILED"} == {test}


def test_the_python_of_its_readme_runs(installed):
    folder, run = installed
    [code] = re.findall(r"^```python\n(.*?)^```$", (folder / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    done = run("-c", f"{code}\nprint(parameter.data.round(3).tolist())")
    assert (done.stdout, done.stderr) == ("[0.8999999761581421, -1.899999976158142]\n", "")


# What it refuses


@pytest.mark.parametrize("name", ["adam", "AdamW", "SGD", "RmsProp"])
def test_a_built_ins_name(name, empty_folder):
    said = new(name, code=2)
    assert said.startswith(f"Error: '{name.lower()}' cannot be the name of a new optimizer: it is a built-in's")
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(("name", "whose"), [("lion", "trainstation-lion"), ("Soap", "trainstation-modern")])
def test_a_name_that_one_of_our_plugins_brings(name, whose, empty_folder):
    said = new(name, code=2)
    assert said.startswith(
        f"Error: '{name.lower()}' cannot be the name of a new optimizer: it is an optimizer of {whose}"
    )
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *(
            (name, "a letter first, then a-z, 0-9")
            for name in ("", "3d", "_a", "a_", "a__b", "a.b", "a b", "a/b", "..")
        ),
        *((name, "a letter first, then a-z, 0-9") for name in ("ädam", "\u0430dam", "adam\n", "a" * 65)),
        *((name, "taken in Python") for name in ("class", "none", "any", "optimizer", "value-error")),
        ("trainstation-lion", "try 'lion'"),
    ],
)
def test_a_name_that_is_not_allowed(name, why, empty_folder):
    assert why in new(name, code=2)
    assert list(empty_folder.iterdir()) == []


def test_the_name_of_a_compiled_rule_where_it_would_have_one():
    assert "there is a compiled rule of this name" in new("sgd_momentum", "--with-kernel", code=2)
    new("sgd_momentum")


@pytest.mark.parametrize("flags", [[], ["--json"], ["--with-kernel"]])
def test_a_folder_with_something_in_it_is_left_as_it_is(flags, empty_folder):
    Path("full/inner").mkdir(parents=True)
    Path("full/LICENSE").write_text("mine")
    assert new("my_adam", "full", *flags, code=2) == (
        "Error: full is not empty, and nothing is overwritten; name another folder\n"
    )
    assert texts("full") == {"LICENSE": "mine"}
    assert sorted(path.name for path in empty_folder.rglob("*")) == ["LICENSE", "full", "inner"]


def test_a_second_time_nothing_is_overwritten():
    new("my_adam")
    before = texts(".")
    new("my_adam", "--with-kernel", code=2)
    assert texts(".") == before


@pytest.mark.parametrize("folder", [".", "empty", "link"])
def test_an_empty_folder_is_filled(folder):
    Path("empty").mkdir()
    if folder == "link":
        Path("link").symlink_to("empty")
    os.chdir("empty" if folder == "." else ".")
    new("my_adam", folder)
    assert list(texts(folder)) == NUMPY


@pytest.mark.parametrize("folder", ["file", "file/inner", "dangling"])
def test_what_cannot_be_a_folder(folder):
    Path("file").write_text("mine")
    Path("dangling").symlink_to("nowhere/at/all")
    assert new("my_adam", folder, code=2).startswith(f"Error: cannot write to {folder}: ")
    assert sorted(map(str, Path().iterdir())) == ["dangling", "file"]
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("raised", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
@pytest.mark.parametrize("nth", [1, 2, 5, len(NUMPY)])
@pytest.mark.parametrize("folder", ["far/away/there", "empty"])
def test_what_is_half_written_is_taken_back(monkeypatch, raised, nth, folder, empty_folder):
    Path("empty").mkdir()
    opened = []

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, _):
            raise raised

    def opening(path, mode="r", **options):
        file = open(path, mode, **options)  # noqa: PTH123, SIM115  # Path.open is this one
        if mode != "x":
            return file
        opened.append(path)
        return Full(file) if len(opened) == nth else file

    monkeypatch.setattr(Path, "open", opening)
    said = CliRunner().invoke(command.new, ["my_adam", folder])
    assert len(opened) == nth
    assert said.exit_code == (2 if isinstance(raised, OSError) else 1)
    if isinstance(raised, OSError):
        assert said.stderr == f"Error: cannot write to {folder}: No space left on device\n"
    assert [path.name for path in empty_folder.rglob("*")] == ["empty"]
