"""The command beside another project with a package of the same name: what it says before it imports any of it."""

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import fakes
import pytest

import trainstation as ts
import trainstation_optim

OURS = {
    "trainstation/__init__.py": "OURS = True\n",
    "trainstation/cli/__init__.py": "import warnings\n\ndef main():\n    print('ours runs')\n\nwarnings.warn('look')\n",
    "trainstation/__main__.py": (Path(ts.__file__).parent / "__main__.py").read_text(encoding="utf-8"),
    "trainstation/registry/__init__.py": "",
}
THEIRS = "raise SystemExit('the other package was imported')\n"


@pytest.fixture
def site(tmp_path):
    """A folder with our package, as pip leaves it."""
    lines = ["trainstation/__pycache__/__init__.pyc,,", "trainstation_optim.py,,"]
    for name, text in OURS.items():
        write(tmp_path / name, text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text)}")
    write(tmp_path / "trainstation_optim.py", Path(trainstation_optim.__file__).read_text(encoding="utf-8"))
    info = tmp_path / "trainstation_optim-1.0.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: trainstation-optim\nVersion: 1.0\n")
    write(info / "RECORD", "\n".join([*lines, ""]))
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run(*places):
    """Run the command with these folders alone where Python looks; its exit code and what it wrote."""
    code = f"import sys; sys.path[:0] = {list(map(str, places))}; from trainstation_optim import main; main()"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def refused(why):
    return 2, "", f"Error: {why}: {trainstation_optim.REMEDY}\n"


def test_it_runs_and_shows_a_warning_of_the_import_in_a_line(site):
    assert run(site) == (0, "ours runs\n", "UserWarning: look\n")


def test_python_m_looks_too_where_the_other_package_lets_it_run(site):
    code = (
        f"import runpy, sys; sys.path.insert(0, {str(site)!r}); runpy.run_module('trainstation', run_name='__main__')"
    )

    def run_module():
        done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    init = site / "trainstation" / "__init__.py"
    assert run_module() == (0, "ours runs\n", "UserWarning: look\n")
    init.write_text("OURS = False\n", encoding="utf-8")
    assert run_module() == refused(f"{init} is not ours")
    init.unlink()
    assert run_module() == refused(f"there is no {init}")


def test_the_remedy_is_one_sentence_that_names_both_commands():
    for command in ("pip uninstall trainstation;", "pip install --force-reinstall trainstation-optim (or"):
        assert command in trainstation_optim.REMEDY
    assert ". " not in trainstation_optim.REMEDY


def test_another_package_over_ours(site):
    init = site / "trainstation" / "__init__.py"
    init.write_text(THEIRS, encoding="utf-8")
    assert run(site) == refused(f"{init} is not ours")


def test_the_other_package_was_uninstalled(site):
    (site / "trainstation" / "__init__.py").unlink()
    assert run(site) == refused(f"there is no {site / 'trainstation' / '__init__.py'}")


def test_nothing_is_left_of_the_package(site):
    (site / "trainstation").rename(site / "gone")
    assert run(site) == refused(f"there is no {site / 'trainstation' / '__init__.py'}")


def test_another_file_is_missing(site):
    (site / "trainstation" / "cli" / "__init__.py").unlink()
    assert run(site) == refused(f"there is no {site / 'trainstation' / 'cli' / '__init__.py'}")


def test_another_package_in_a_folder_where_python_looks_first(site, tmp_path_factory):
    first = tmp_path_factory.mktemp("first")
    write(first / "trainstation" / "__init__.py", THEIRS)
    assert run(first, site) == refused(f"{first / 'trainstation' / '__init__.py'} is not ours")
    assert run(site, first)[0] == 0


def test_a_clone_in_a_folder_where_python_looks_first(site, tmp_path_factory):
    clone = tmp_path_factory.mktemp("clone")
    for name, text in OURS.items():
        write(clone / name, text.replace("ours", "the clone"))
    assert run(clone, site)[:2] == (0, "the clone runs\n")


def test_an_editable_installation(site, tmp_path_factory):
    """RECORD has what was compiled; the package is the clone's, for its finder comes before all folders."""
    clone = tmp_path_factory.mktemp("clone")
    (site / "trainstation").rename(clone / "trainstation")
    write(site / "trainstation" / "_kernels.abi3.so", "")
    write(site / "trainstation_optim-1.0.dist-info" / "RECORD", "trainstation/_kernels.abi3.so,sha256=x,0\n")
    assert run(clone, site)[:2] == (0, "ours runs\n")
    write(site / "trainstation" / "__init__.py", THEIRS)  # the other project is installed, too
    assert run(clone, site)[:2] == (0, "ours runs\n")


@pytest.mark.parametrize("gone", ["RECORD", "METADATA"])
def test_where_nothing_is_recorded_ours_runs(site, gone):
    (site / "trainstation_optim-1.0.dist-info" / gone).unlink()
    assert run(site)[:2] == (0, "ours runs\n")


def test_the_import_warns_once_where_it_was_asked_for_and_goes_on(tmp_path):
    code = """
        import warnings
        from pathlib import Path
        exists = Path.exists
        Path.exists = lambda path: path.name == "split_bregman.py" or exists(path)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            from trainstation.optimizers import Adam
        [warning] = caught
        print(warning.category.__name__, warning.filename, warning.message, Adam().defaults["lr"], sep="|")
    """
    folder = Path(ts.__file__).parent
    said = f"UserWarning|<string>|{folder} holds another project, too: {trainstation_optim.REMEDY}|0.001\n"
    assert fakes.python(tmp_path, code).stdout == said


def test_ctrl_c_while_it_is_imported_is_a_line(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(trainstation_optim, "_what_is_wrong", interrupted)
    with pytest.raises(SystemExit) as ended:
        trainstation_optim.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"
