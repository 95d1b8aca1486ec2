"""Which code a row is of: hashes that change with what a program does, and not with how it is described."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from trainstation.bench.problems import Problem
from trainstation.optimizers.base import Optimizer

__all__ = ["code_hash", "meaning", "problem_version"]

PROTOCOL = ("trainstation.bench.training", "trainstation.bench.rates")
PROBLEMS = "trainstation.bench.problems."
LENGTH = 16  # hexadecimal digits


def meaning(source: str) -> str:
    r"""Return a program without comments, docstrings and layout.

    >>> meaning('def f(x):  # twice\n    "Double it."\n    return (x *\n        2)')
    'def f(x):\n    return x * 2'

    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:LENGTH]


@cache
def _of_module(name: str) -> str:
    """Return what a module does; its name, if its source is nowhere."""
    module = sys.modules.get(name)
    try:
        if module is not None:
            return meaning(inspect.getsource(module))
        found = importlib.util.find_spec(name)
        return meaning(Path(found.origin).read_text(encoding="utf-8")) if found and found.origin else name
    except (OSError, TypeError, SyntaxError):  # typed into an interpreter
        return name


@cache
def problem_version(problem: Problem) -> str:
    """Return a hash of a problem's budget and of the code of its tasks: their module, and what that has from ours."""
    module = getattr(problem.start, "__module__", "")
    return _hash([problem.name, str(problem.budget), *map(_of_module, [module, *sorted(_used(module))])])


def _used(name: str) -> Iterator[str]:
    """Yield the modules of our problems from which a module imports, that of the types apart."""
    module = sys.modules.get(name)
    held = vars(module).values() if isinstance(module, ModuleType) else ()
    origins = {getattr(each, "__module__", None) or "" for each in held}
    for origin in origins - {name, f"{PROBLEMS}problem"}:
        if origin.startswith(PROBLEMS):
            yield origin


@cache
def code_hash(cls: type) -> str:
    """Return a hash of an optimizer's class, of those that it is made of, and of the protocol.

    A compiled rule is not in it: it equals `update`, which is.
    """
    own = [each for each in cls.__mro__ if each not in (*Optimizer.__mro__, object)]
    texts = [_of_class(each) for each in own]
    return _hash([*texts, *map(_of_module, PROTOCOL)])


def _of_class(cls: type) -> str:
    """Return a class's name and what its module does, for the functions there are its own; without source, its name."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    try:
        inspect.getsource(cls)
    except (OSError, TypeError):  # typed into an interpreter
        return name
    return f"{name}\n{_of_module(cls.__module__)}"
