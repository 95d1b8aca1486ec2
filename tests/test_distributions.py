"""No message, extra or dependency names a distribution that anyone else could register."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from trainstation.cli import new
from trainstation.registry.names import CORE, project

ROOT = Path(__file__).parents[1]
THIRD_PARTY = {
    *("build", "cffi", "click", "deepspeed", "hatchling", "hypothesis", "import-linter", "jax", "jinja2", "matplotlib"),
    *("mpmath", "mypy", "ninja", "numpy", "optax", "pluggy", "py-cpuinfo", "pytest", "pytest-xdist", "rich", "ruff"),
    *("safetensors", "scikit-build-core", "threadpoolctl", "torch"),
}
COMMAND = re.compile(r"pip install\b([^`;()\n]*)")  # to the end of the command, in prose
VALUED = {"-C", "--config-settings", "--find-links", "--index-url", "-f", "-i"}


def ours():
    """The list of docs/releasing.md."""
    section = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8").partition("\n## Our distributions\n")[2]
    return set(re.findall(r"^- `([\w-]+)`", section.partition("\n## ")[0], re.MULTILINE))


def installed_by(text):
    """The distributions that the commands in a text would install from an index."""
    names = set()
    for command in COMMAND.findall(text):
        words = iter(word.strip("\"'") for word in command.split())
        for word in words:
            if word in VALUED:
                next(words, None)
            elif not word.startswith(("-", ".", "$", "/", "{folders}")) and "/" not in word:  # neither option nor place
                names.add(required(word))
    return names


def required(requirement):
    return project(re.match(r"[\w.{}-]*", requirement)[0])


def constants(path):
    """The string constants of a module; what an f-string puts in stands as {expression}."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Constant(str(text)):
                yield text
            case ast.JoinedStr(values):
                yield "".join(
                    each.value if isinstance(each, ast.Constant) else f"{{{ast.unparse(each.value)}}}"
                    for each in values
                )


def modules():
    places = [ROOT / "trainstation", ROOT / "benchmarks", *ROOT.glob("plugins/*/src")]
    return [ROOT / "trainstation_optim.py", *(path for place in places for path in sorted(place.rglob("*.py")))]


def written():
    """The files of both templates, as `trainstation new` writes them."""
    return {kernel: new._templates(kernel) for kernel in (False, True)}


def projects():
    paths = [ROOT / "pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return [tomllib.loads(text) for text in [*texts, *(files["pyproject.toml"] for files in written().values())]]


def test_the_list_is_of_what_is_here():
    here = [project["project"]["name"] for project in projects()]
    assert ours() == set(here) - {"trainstation-my-optimizer"}
    assert CORE in ours()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("say `pip install trainstation` once", {"trainstation"}),
        ('pip install -U "trainstation_optim[bench]>=0.1" numpy==2', {"trainstation-optim", "numpy"}),
        ("in a clone: pip install ./plugins/trainstation-lion", set()),
        ('pip install -e ".[bench]"', set()),
        ('pip install "$TRAINSTATION" pytest ruff', {"pytest", "ruff"}),
        ("pip install torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu", {"torch"}),
        ("pip uninstall trainstation; pip install --force-reinstall trainstation-optim (or a clone)", {CORE}),
        ("pip install {name}", {"{name}"}),  # what is not known here is no name that is
        ("after `pip install`, its optimizers are found", set()),
    ],
)
def test_commands_are_read(text, names):
    assert installed_by(text) == names


def test_no_message_names_another_distribution():
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in modules()
        for text in constants(path)
        for name in installed_by(text)
    }
    assert ("trainstation_optim.py", CORE) in found
    assert {(path, name) for path, name in found if name not in ours() | THIRD_PARTY} == set()


@pytest.mark.parametrize("kernel", [False, True])
def test_no_template_names_another_distribution(kernel):
    found = {(path, name) for path, text in written()[kernel].items() for name in installed_by(text)}
    assert (".github/workflows/tests.yml", "pytest") in found
    assert {(path, name) for path, name in found if name not in ours() | THIRD_PARTY} == set()


def test_no_dependency_and_no_extra_is_another_distribution():
    for each in projects():
        metadata = each["project"]
        extras = [name for some in metadata.get("optional-dependencies", {}).values() for name in some]
        for requirement in [*metadata["dependencies"], *extras, *each["build-system"]["requires"]]:
            assert required(requirement) in ours() | THIRD_PARTY, (metadata["name"], requirement)


def test_every_plugin_and_what_becomes_one_depends_on_the_core():
    for each in projects():
        if each["project"]["name"] != CORE:
            assert each["project"]["dependencies"] == [f"{CORE}>=0.1"]


def test_all_of_ours_say_the_same_of_who_and_where():
    mine, *others = [each["project"] for each in projects() if each["project"]["name"] in ours()]
    assert mine["name"] == CORE
    for each in others:
        for field in ("authors", "urls", "license", "requires-python"):
            assert each[field] == mine[field], (each["name"], field)
        text = (ROOT / "plugins" / each["name"] / "LICENSE").read_text(encoding="utf-8")
        assert text == (ROOT / "LICENSE").read_text(encoding="utf-8")
