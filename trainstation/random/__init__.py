"""Seeds and generators: the shared stream, which `manual_seed` starts, and generators independent of it.

Every stream is that of PCG64, the same on every platform. A generator may be used by several threads: each draw is
whole, but whose is first is not said; threads with a generator each draw what each would draw alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainstation.random.generators import Generator

__all__ = ["Generator", "generator", "get_state", "manual_seed", "seeded", "set_state"]

# Made when it is first drawn from: importing numpy.random takes as long as importing all of trainstation.
_shared: Generator | None = None


def __getattr__(name: str) -> Any:
    if name not in ("Generator", "_restored"):  # the second by pickles of before, through `trainstation.generators`
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from trainstation.random import generators

    return getattr(generators, name)


def manual_seed(seed: int) -> None:
    """Start the shared stream, which everything random without a seed of its own draws from, anew."""
    global _shared  # noqa: PLW0603  # the one shared stream
    _shared = generator(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Have the stream of a seed as the shared one meanwhile; the former then goes on from where it stood."""
    global _shared  # noqa: PLW0603  # the one shared stream
    former = _shared
    manual_seed(seed)
    try:
        yield
    finally:
        _shared = former


def generator(seed: int | None = None) -> Generator:
    """Return the shared stream for None, else a new one that depends on `seed` alone."""
    global _shared  # noqa: PLW0603  # the one shared stream
    if seed is None and _shared is not None:
        return _shared
    from trainstation.random.generators import Generator

    if seed is None:
        _shared = Generator()
        return _shared
    return Generator(seed)


def get_state() -> dict[str, Any]:
    """Return where the shared stream stands: texts and integers, fit for JSON."""
    return generator().get_state()


def set_state(state: dict[str, Any]) -> None:
    """Have the shared stream go on from where it stood at `get_state()`; ValueError for anything else."""
    generator().set_state(state)
