"""What the commands have in common: how they fail, look names up, and keep stdout clean."""

from __future__ import annotations

import glob
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

import trainstation as ts
from trainstation.bench import OUT
from trainstation.registry import lookup

if TYPE_CHECKING:
    from trainstation.registry import OptimizerInfo

__all__ = [
    "Failure",
    "as_json",
    "cannot_be_used",
    "complete_name",
    "endings",
    "look_up",
    "needs_the_extra",
    "out_folder",
    "output",
    "plain",
]

as_json = click.option("--json", "as_json", is_flag=True, help="JSON on stdout, and nothing else there.")
out_folder = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=OUT,
    show_default=True,
    help="Folder of the rows and the pictures.",
)


def complete_name(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    """Return the names that begin so, for a shell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a line in the middle of what is being typed
        return ts.list_optimizers(f"{glob.escape(incomplete)}*")


def plain(value: Any) -> str:
    """Write what an info holds for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={each!r}" for key, each in value.items())
    return ", ".join(value) if isinstance(value, tuple | list) else str(value)


class Failure(click.ClickException):
    """A message and an exit code: 2 usage or an unknown name, 3 a broken plugin was asked for."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the instance


@contextmanager
def output(as_json: bool) -> Iterator[TextIO]:
    """Give stdout; with --json all else that is printed meanwhile, by a plugin say, goes to stderr."""
    stdout = sys.stdout
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield stdout


def look_up(name: str) -> OptimizerInfo:
    """Describe an optimizer, or fail with the right exit code."""
    try:
        return ts.optimizer_info(name)
    except ts.UnknownOptimizerError as error:
        broken = lookup.broken_plugin(name)
        if not broken:
            raise Failure(str(error)) from error
        text = f"{name!r} cannot be used: {broken}"
        raise Failure(text, 3) from error
    except ts.DuplicateOptimizerError as error:
        raise Failure(str(error)) from error
    except Exception as error:  # the target of a plugin may raise anything when it is imported
        raise Failure(cannot_be_used(name, error), 3) from error


def cannot_be_used(name: str, error: Exception) -> str:
    """Say that an optimizer of this name could not be imported, and whose it is."""
    entry = lookup.find_optimizer(name)
    return f"{name!r} of {entry.distribution} {entry.version} cannot be used: {type(error).__name__}: {error}"


def needs_the_extra(command: str) -> None:
    """Fail unless the packages of the extra `bench` are there."""
    missing = [module for module in ("rich", "matplotlib", "threadpoolctl", "jinja2") if find_spec(module) is None]
    if missing:
        # By folder: on the package index, the plain name may be another project's.
        text = (
            f"{command} needs {', '.join(missing)}; this brings it, in a clone of trainstation: "
            'pip install -e ".[bench]"'
        )
        raise Failure(text)


@contextmanager
def endings(out: Path, interrupted: Callable[[], None]) -> Iterator[None]:
    """Turn a full disk and Ctrl-C into a line and an exit code; leave a reader that has gone to click."""
    from trainstation.bench.records.writer import OutputError

    try:
        yield
    except OutputError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and not isinstance(cause, BrokenPipeError):
            text = f"cannot write to {out}: {cause.strerror or cause}"
            raise Failure(text) from error
        raise (cause or error) from None
    except KeyboardInterrupt:
        interrupted()
        click.get_current_context().exit(130)
