"""Which code a row is of: hashes that change with what a program does, not with how it is written or where it lies."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any

from trainstation.bench.problems import Problem
from trainstation.optimizers.base import Optimizer

__all__ = ["code_hash", "meaning", "problem_version"]

PROTOCOL = ("trainstation.bench.protocol.trial", "trainstation.bench.protocol.rates")
PROBLEMS = "trainstation.bench.problems."
OURS = "trainstation"
LENGTH = 16  # hexadecimal digits


def meaning(source: str) -> str:
    r"""Return a program without comments, docstrings, layout, annotations and the places of our modules.

    An import from trainstation keeps the names that it brings; the body of a class keeps which names are annotated,
    for those are the fields of a dataclass.

    >>> meaning('def f(x: int) -> int:  # twice\n    "Double it."\n    return (x *\n        2)')
    'def f(x):\n    return x * 2'
    >>> meaning("from trainstation.here import f\nfrom trainstation.there import e as g")
    'from trainstation import e as g, f'

    """
    return ast.unparse(ast.fix_missing_locations(_Meaning().visit(ast.parse(source))))


class _Meaning(ast.NodeTransformer):
    """Takes out of a program what does nothing."""

    def __init__(self) -> None:
        self._of_class = False  # whether the statements are those of a class's body

    def visit(self, node: ast.AST) -> Any:
        """Visit a node, then all bodies that it has: a module's, a function's, both branches of an `if`."""
        outer = self._of_class
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            self._of_class = isinstance(node, ast.ClassDef)
        node = super().visit(node)
        self._of_class = outer
        for name, body in ast.iter_fields(node):
            if isinstance(body, list) and (name == "body" or (body and isinstance(body[0], ast.stmt))):
                left = list(_without_places(_acting(body)))
                setattr(node, name, left or ([] if isinstance(node, ast.Module) else [ast.Pass()]))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Make it an assignment, unless it is a field of a class."""
        self.generic_visit(node)
        if self._of_class:
            node.annotation = ast.Constant(...)
            return node
        return ast.Pass() if node.value is None else ast.Assign([node.target], node.value)

    def visit_FunctionDef(self, node: Any) -> ast.AST:
        """Leave out what the result is said to be."""
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815  # ast's name

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Leave out what an argument is said to be."""
        node.annotation = None
        return node


def _acting(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a body but a docstring and those that do nothing."""
    match body:
        case [ast.Expr(ast.Constant(str())), *others]:
            body = others
    return [each for each in body if not isinstance(each, ast.Pass)]


def _without_places(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body; of neighbouring imports from our modules one, of all their names in order."""
    for _, some in groupby(body, lambda each: isinstance(each, ast.Import | ast.ImportFrom)):
        names: set[tuple[str, str]] = set()
        for statement in some:
            match statement:
                case ast.ImportFrom(module=str(module), level=0) if module.split(".")[0] == OURS:
                    names.update((each.name, each.asname or each.name) for each in statement.names)
                case ast.Import([ast.alias(str(module), str(bound))]) if module.startswith(f"{OURS}."):
                    names.add((module.rpartition(".")[2], bound))
                case _:
                    yield statement
        if names:
            known = [ast.alias(name, None if name == bound else bound) for name, bound in sorted(names)]
            yield ast.ImportFrom(OURS, known, 0)


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
    used = sorted(map(_of_module, _used(module)))
    return _hash([problem.name, str(problem.budget), _of_module(module), *used])


def _used(name: str) -> Iterator[str]:
    """Yield the modules of our problems from which a module imports."""
    module = sys.modules.get(name)
    held = vars(module).values() if isinstance(module, ModuleType) else ()
    origins = {getattr(each, "__module__", None) or "" for each in held}
    for origin in origins - {name}:
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
    """Return a class's name and what its module does, for the functions there are its own."""
    try:
        inspect.getsource(cls)
    except (OSError, TypeError):  # typed into an interpreter
        return f"{cls.__module__}.{cls.__qualname__}"
    return f"{cls.__qualname__}\n{_of_module(cls.__module__)}"
