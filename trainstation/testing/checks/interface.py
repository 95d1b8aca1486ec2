"""Checks of what a user reads and types: docstring, signature, names."""

from __future__ import annotations

import inspect
import re
from inspect import Parameter
from typing import Any

from trainstation.optimizers import Optimizer
from trainstation.testing.subject import Subject
from trainstation.testing.verdicts import fail

__all__ = ["docstring", "hyper_parameters_in_defaults", "signature", "unknown_keyword"]

# What every optimizer may take beside its hyper-parameters, and the defaults.
COMMON = {"state_dtype": None, "max_grad_norm": None, "on_nonfinite": "ignore"}
EXTRAS = {"maximize": False, **COMMON}
LONGEST = 120  # characters of a line


def docstring(subject: Subject) -> str:
    """Check the summary, and that every argument is described by the class or one that it extends."""
    cls = subject.cls
    text = inspect.cleandoc(cls.__doc__ or "")
    summary, _, rest = text.partition("\n")
    if not summary.endswith(".") or len(summary) > LONGEST or (rest and not rest.startswith("\n")):
        fail(
            f"the docstring of {cls.__name__} begins with {summary!r}",
            f"begin it with one sentence in one line of at most {LONGEST} characters, and an empty line after it",
        )
    described = " ".join(each.__dict__.get("__doc__") or "" for each in cls.__mro__ if each not in (Optimizer, object))
    missing = [name for name in subject.keywords if not re.search(rf"\b{name}\b", described)]
    if missing:
        fail(f"the docstring says nothing of {', '.join(missing)}", "describe each argument under `Args:`")
    return ""


def signature(subject: Subject) -> str:
    """Check that params comes first, all has a default that is the one in use, and the extras are keyword-only."""
    parameters = inspect.signature(subject.cls).parameters
    first = next(iter(parameters.values()), None)
    if first is None or first.name != "params" or first.default is not None:
        fail("the first argument is not `params=None`", "write `def __init__(self, params=None, lr=...)`")
    for name, each in parameters.items():
        if each.kind in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL):
            continue  # what they swallow is another check's question
        if each.default is Parameter.empty:
            fail(f"{name} has no default", "give it the one that works in most cases")
        if name == "max_grad_norm" and each.default is not None:
            continue  # a hyper-parameter of its own, as Lamb's
        if name in EXTRAS and (each.kind != Parameter.KEYWORD_ONLY or each.default != EXTRAS[name]):
            fail(f"the signature has `{each}`", f"put `*` before it, and let its default be {EXTRAS[name]!r}")
    made = Subject(subject.cls).defaults
    for name in parameters.keys() & made.keys():
        if parameters[name].default not in (None, made[name]):
            fail(
                f"the signature says {name}={parameters[name].default!r}, `defaults` {made[name]!r}",
                "pass what was given on to super().__init__ as it is",
            )
    return ""


def unknown_keyword(subject: Subject) -> str:
    """Check that a misspelt name is an error, in the call and in a group."""
    with_group = [{"params": list(subject.parameters().values()), "no_such_keyword": 1}]
    attempts: dict[str, dict[str, Any]] = {
        "the call": {"no_such_keyword": 1},
        "a group": {"params": with_group},
    }
    for where, arguments in attempts.items():
        try:
            subject.cls(**arguments)
        except TypeError:
            continue
        fail(f"no_such_keyword=1 in {where} is no TypeError", "take no **kwargs, or raise for what is left of them")
    return ""


def hyper_parameters_in_defaults(subject: Subject) -> str:
    """Check that the signature's numbers can be set for a group; what is not a number may be for all of them."""
    notes = []
    for name, default in subject.keywords.items():
        if name in subject.defaults or name in COMMON:
            continue
        moved = subject.of_groups(name, subject.another(name))
        if moved:
            notes.append(f"{name} is {' and '.join(moved)} in groups")
        elif default is None or isinstance(default, str | type) or callable(default):
            notes.append(f"{name} is of the whole optimizer, not of a group")
        else:
            fail(
                f"{name} is in the signature, and not in `defaults`: no group and no checkpoint can have it",
                f'pass it on: super().__init__(params, {{..., "{name}": {name}}}), and read it from `hyper`',
            )
    return "; ".join(notes)
