"""Our wheel beside PyPI's trainstation, and alone with a folder of wheels, in fresh environments."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

import trainstation as ts
import trainstation_optim

ROOT = Path(__file__).parents[2]
DEPENDENCIES = ("cffi", "click", "numpy", "pluggy", "pycparser", "safetensors")


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", "-q", *arguments], check=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, wheel):
    """A folder of wheels: ours, a plugin, what both need, and the other project's."""
    folder = tmp_path_factory.mktemp("folder")
    (folder / wheel.name).write_bytes(wheel.read_bytes())
    pip("wheel", "--no-deps", "-w", folder, ROOT / "plugins" / "trainstation-adafactor")
    pip("download", "--no-deps", "--only-binary", ":all:", "-d", folder, "trainstation==1.2", *DEPENDENCIES)
    return folder


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory, folder):
    """What we need, once for all environments."""
    place = tmp_path_factory.mktemp("dependencies")
    pip("install", "--no-index", "--find-links", folder, "--target", place, *DEPENDENCIES)
    return place


class Environment:
    """A fresh virtual environment."""

    def __init__(self, path):
        venv.create(path, symlinks=True)
        self.bin = path / "bin"
        [self.site] = path.glob("lib/*/site-packages")

    def pip(self, *arguments):
        pip("--python", self.bin / "python", *arguments)

    def run(self, command, *arguments):
        """The exit code, what was written to stdout, and to stderr."""
        done = subprocess.run(
            [self.bin / command, *arguments], cwd=self.bin.parent, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    def ask(self, code):
        return self.run("python", "-c", code)

    def has(self):
        """The files of the package but what Python compiles."""
        files = (path for path in self.site.glob("trainstation/**/*") if path.is_file())
        return {path.relative_to(self.site).as_posix() for path in files if path.suffix != ".pyc"}


@pytest.fixture
def fresh(tmp_path, dependencies):
    environment = Environment(tmp_path / "venv")
    (environment.site / "dependencies.pth").write_text(f"{dependencies}\n")
    return environment


def files_of(wheel):
    listed = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], check=True, capture_output=True, text=True)
    return {line.split()[0] for line in listed.stdout.splitlines() if line.startswith("trainstation/")}


INIT = "trainstation/__init__.py"
VERSION = f"trainstation, version {ts.__version__}\n"
ADAM = "import trainstation as ts; print(ts.optimizer_info('adam').distribution)"
NAMELESS = "AttributeError: module 'trainstation' has no attribute 'optimizer_info'\n"


@pytest.mark.parametrize("order", ["ours theirs", "theirs ours"])
@pytest.mark.parametrize("uninstalled", ["", "theirs", "ours"])
def test_beside_the_other_project(fresh, folder, wheel, order, uninstalled):
    [other] = folder.glob("trainstation-1.2-*.whl")
    wheels, names = {"ours": wheel, "theirs": other}, {"ours": "trainstation-optim", "theirs": "trainstation"}
    ours, theirs = files_of(wheel), files_of(other)
    assert ours & theirs == {INIT}
    assert "trainstation/split_bregman.py" in theirs  # by which the import knows the other one
    for each in order.split():
        fresh.pip("install", "--no-deps", wheels[each])
    if uninstalled:
        fresh.pip("uninstall", "-y", names[uninstalled])
    place, remedy = fresh.site / INIT, trainstation_optim.REMEDY
    said = fresh.run("trainstation", "--version") if uninstalled != "ours" else None
    as_module, asked = fresh.run("python", "-m", "trainstation", "--version"), fresh.ask(ADAM)
    match order, uninstalled:
        case "ours theirs", "":  # their __init__.py runs: our command alone can speak, and imports none of theirs
            assert fresh.has() == ours | theirs
            assert said == (2, "", f"Error: {place} is not ours: {remedy}\n")
            for code, _, error in (as_module, asked):
                assert code == 1
                assert error.endswith("ModuleNotFoundError: No module named 'sklearn'\n")  # what they need
        case "theirs ours", "":  # ours runs, and warns
            warning = f"UserWarning: {place.parent} holds another project, too: {remedy}\n"
            assert fresh.has() == ours | theirs
            assert said == (0, VERSION, warning)
            assert as_module[:2] == (0, VERSION)
            assert as_module[2].endswith(warning)
            assert asked == (0, "trainstation-optim\n", f"<string>:1: {warning}")
        case _, "theirs":  # which takes away the file that both have
            assert fresh.has() == ours - {INIT}
            assert said == as_module == (2, "", f"Error: there is no {place}: {remedy}\n")
            assert asked[2].endswith(NAMELESS)
        case _, "ours":  # likewise; nothing of ours is left that could speak
            assert fresh.has() == theirs - {INIT}
            assert not list(fresh.site.glob("trainstation_optim*"))
            assert not (fresh.bin / "trainstation").exists()
            assert asked[2].endswith(NAMELESS)
            return
    # The remedy, from the wheel that was installed:
    fresh.pip("uninstall", "-y", "trainstation")
    fresh.pip("install", "--no-deps", "--force-reinstall", wheel)
    assert fresh.has() == ours
    assert fresh.run("trainstation", "--version") == (0, VERSION, "")
    assert fresh.ask(ADAM) == (0, "trainstation-optim\n", "")


def test_a_folder_of_wheels_is_enough_and_a_plugin_never_brings_the_other_project(tmp_path, folder):
    fresh = Environment(tmp_path / "venv")
    offline = ("--no-index", "--find-links", folder)
    for options in ((), ("-U", "--upgrade-strategy", "eager")):
        fresh.pip("install", *offline, *options, "trainstation-adafactor")
        assert {path.name.partition("-")[0] for path in fresh.site.glob("train*.dist-info")} == {
            *("trainstation_optim", "trainstation_adafactor")
        }
        assert fresh.run("trainstation", "--version") == (0, VERSION, "")
    code, said, error = fresh.run("trainstation", "list")
    assert (code, error) == (0, "")
    assert [line.split()[0] for line in said.splitlines()] == ["adafactor", "adam", "adamw", "rmsprop", "sgd"]
    step = """
import trainstation as ts
parameter = ts.tensor([[1.0, 2.0]], requires_grad=True)
optimizer = ts.create_optimizer("adafactor", [parameter])
(parameter * parameter).sum().backward()
optimizer.step()
print(bool((parameter.data < [[1.0, 2.0]]).all()), ts.kernels.cpu()["isa"] == ts.kernels.isa())
"""
    assert fresh.ask(step) == (0, "True True\n", "")
    clone = "in a clone of trainstation: pip install ./plugins/trainstation-lion"
    lion = f"Error: unknown optimizer 'lion': trainstation-lion brings it; {clone}\n"
    assert fresh.run("trainstation", "info", "lion") == (2, "", lion)
