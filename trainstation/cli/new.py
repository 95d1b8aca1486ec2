"""The command that writes a new plugin: `trainstation new NAME`.

What it writes stands in templates/: numpy/ is a whole distribution, kernel/ what a rule in C adds to it, or changes: a
FILE.diff changes FILE.
"""

from __future__ import annotations

import ast
import builtins
import json
import keyword
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from trainstation import kernels
from trainstation.cli.common import Failure, as_json
from trainstation.registry import builtin, first_party
from trainstation.registry.names import normalize

__all__ = ["new", "patched"]

TEMPLATES = Path(__file__).parents[1] / "templates"
CLASS = "src/trainstation_my_optimizer/my_optimizer.py"
# A rule in C takes 64 characters.
NAME = re.compile(r"(?!.{65})[a-z](_?[a-z0-9])*")


@click.command()
@click.argument("name")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--with-kernel", is_flag=True, help="With a rule in C, which is compiled when it is installed.")
@as_json
def new(name: str, folder: Path | None, with_kernel: bool, as_json: bool) -> None:
    """Write a distribution with an optimizer NAME to DIR (./trainstation-NAME); nothing is overwritten."""
    name = normalize(name)
    texts = _templates(with_kernel)
    if why := _unfit(name, texts[CLASS], with_kernel):
        msg = f"{name!r} cannot be the name of a new optimizer: {why}"
        raise Failure(msg)
    files = {_named(path, name): _named(text, name) for path, text in texts.items()}
    folder = folder or Path(_named("trainstation-my-optimizer", name))
    try:
        _write(files, folder)
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}"
        raise Failure(msg) from error
    if as_json:
        click.echo(json.dumps([str(folder / path) for path in files]))
        return
    click.echo(f"Wrote to {folder}:")
    for path in files:
        click.echo(f"  {path}")
    click.echo("\nIts optimizer is an example: the sign of a momentum. To install and test it:")
    for command in (
        f"cd {shlex.quote(str(folder))}",
        "pip install -e .",
        "python -m pytest",
        f"trainstation check {name}",
    ):
        click.echo(f"  {command}")


def _templates(with_kernel: bool) -> dict[str, str]:
    """Return the files of the distribution `trainstation-my-optimizer`, with their paths."""
    texts = _texts(TEMPLATES / "numpy")
    if with_kernel:
        for path, text in _texts(TEMPLATES / "kernel").items():
            changed = path.removesuffix(".diff")
            texts[changed] = text if changed == path else patched(texts[changed], text)
    return dict(sorted(texts.items()))


def _texts(folder: Path) -> dict[str, str]:
    texts = {}
    for path in folder.rglob("*"):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and "cache" not in relative:  # a linter may have run here
            texts[relative] = path.read_text(encoding="utf-8")
    return texts


def patched(text: str, diff: str) -> str:
    """Replace, in each hunk, the lines with - by those with +. What a hunk finds must be there once."""
    for hunk in diff.split("@@\n"):
        old, new = (
            "".join(line[1:] for line in hunk.splitlines(keepends=True) if line[0] in signs) for signs in (" -", " +")
        )
        if text.count(old) != 1:
            msg = f"this has to be there once, for a diff to change it:\n{old}"
            raise ValueError(msg)
        text = text.replace(old, new)
    return text


def _class(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _named(text: str, name: str) -> str:
    """Put a name in place of the template's."""
    for old, own in (("my_optimizer", name), ("my-optimizer", name.replace("_", "-")), ("MyOptimizer", _class(name))):
        text = text.replace(old, own)
    return text


def _unfit(name: str, module: str, with_kernel: bool) -> str:
    """Say why a name is not allowed, or nothing."""
    if any(name in (spec.name, *spec.aliases) for spec in builtin.trainstation_optimizers()):
        return "it is a built-in's, which it always means"
    if brought := first_party.brings(name):
        return f"it is an optimizer of {brought}"
    if not NAME.fullmatch(name):
        return "it names a module, too: a letter first, then a-z, 0-9 and single _ between them, 64 characters at most"
    if name.startswith("trainstation_"):
        return f"trainstation- is put before it to name the distribution; try {name.removeprefix('trainstation_')!r}"
    used = {node.id for node in ast.walk(ast.parse(module)) if isinstance(node, ast.Name)}
    used |= {*dir(builtins), *keyword.kwlist}
    if name in keyword.kwlist or _class(name) in used:
        return f"its module {name!r} or its class {_class(name)!r} would have a name that is taken in Python"
    if with_kernel and name in kernels.rules():
        return "there is a compiled rule of this name"
    return ""


def _write(files: Mapping[str, str], folder: Path) -> None:
    """Write files to a new or empty folder; if that fails, take back what has been written."""
    if folder.is_dir() and any(folder.iterdir()):
        msg = f"{folder} is not empty, and nothing is overwritten; name another folder"
        raise Failure(msg)
    made: list[Path] = []
    try:
        for name, text in files.items():
            path = folder / name
            for parent in reversed(path.parents):
                if not parent.exists():
                    parent.mkdir()
                    made.append(parent)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
    except BaseException:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        raise
