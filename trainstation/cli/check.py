"""The command that checks optimizers: `trainstation check`."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from trainstation.cli.common import Failure, as_json, look_up, output
from trainstation.jsonable import jsonable

if TYPE_CHECKING:
    from trainstation.testing.subject import Subject

__all__ = ["check"]


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME[:OPTION=VALUE,...]...")
@as_json
@click.pass_context
def check(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Check that the optimizers NAME... do what every optimizer of trainstation does.

    One line a check, and of one that fails what was seen and what to change. Options of an optimizer go with its name:
    sgd:momentum=0.9,nesterov=True. With --json the lines go to stderr.
    """
    from trainstation.testing.kit import run_checks
    from trainstation.testing.verdicts import FAILED

    results = []
    with output(as_json) as stdout:
        for subject in [_subject(name) for name in names]:
            click.echo(subject.label)
            counts: Counter[str] = Counter()
            for result in run_checks(subject):
                results.append(result)
                counts[result.status] += 1
                status = result.status.upper() if result.status == FAILED else result.status
                click.echo(f"  {status:14}  {result.check:28}  {result.detail}".rstrip())
            click.echo("  " + ", ".join(f"{count} {status}" for status, count in counts.items()))
        if as_json:
            click.echo(json.dumps(jsonable(results), allow_nan=False), file=stdout)
    if any(result.status == FAILED for result in results):
        context.exit(1)


def _subject(text: str) -> Subject:
    """Return what is to be checked; fail for a name or an option that is unknown."""
    from trainstation.create import parse
    from trainstation.testing.subject import Subject

    look_up(text.partition(":")[0])
    try:
        entrant = parse(text)
        subject = Subject(entrant.name, entrant.options)
        subject.cls  # noqa: B018  # a TypeError if it is an optimizer, and none of ours
    except (TypeError, ValueError) as error:
        message = str(error) if text in str(error) else f"{text}: {error}"
        raise Failure(message) from error
    try:
        subject.make()
    except ImportError as error:
        message = f"{text!r} cannot be used: {error}"
        raise Failure(message, 3) from error
    except Exception as error:
        if subject.given:  # else its author's mistake, which the checks show
            message = f"{text}: {error}"
            raise Failure(message) from error
    return subject
