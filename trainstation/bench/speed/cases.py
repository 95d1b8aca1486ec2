"""What is timed on: one tensor of a size, or the tensors of a model; on so many threads, with caches warm or cold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from trainstation.bench.words import size_name

__all__ = ["SHAPES", "Case", "Shapes", "cut", "make_cases", "parse_sizes", "parse_threads"]

Shapes = tuple[tuple[int, ...], ...]
FACTOR = 4  # from one size of a range to the next


def _dense(*widths: int) -> Shapes:
    """Return weight and bias of each layer of a perceptron."""
    return tuple(shape for inside, outside in pairwise(widths) for shape in _layer(outside, inside))


def _layer(outside: int, *inside: int) -> Shapes:
    return (outside, *inside), (outside,)


def _lenet() -> Shapes:
    """LeNet-5 as it is taught: two convolutions, three dense layers."""
    return (*_layer(6, 1, 5, 5), *_layer(16, 6, 5, 5), *_dense(400, 120, 84, 10))


def _convolution(outside: int, inside: int, side: int) -> Shapes:
    """Return a convolution without a bias, and its batch norm."""
    return (outside, inside, side, side), (outside,), (outside,)


def _resnet18() -> Shapes:
    """ResNet-18: 20 convolutions, each with its batch norm, and a dense layer; torchvision's order."""
    shapes = [*_convolution(64, 3, 7)]
    inside = 64
    for width in (64, 128, 256, 512):
        for block in range(2):
            shapes += [*_convolution(width, inside, 3), *_convolution(width, width, 3)]
            if block == 0 and inside != width:
                shapes += _convolution(width, inside, 1)
            inside = width
    return (*shapes, *_layer(1000, 512))


def _gpt2() -> Shapes:
    """GPT-2 of 124 million: two embeddings, 12 blocks of 12 tensors, a norm; the head is the first embedding."""
    width = 768
    block = [
        *((width,), (width,), (width, 3 * width), (3 * width,), (width, width), (width,)),
        *((width,), (width,), (width, 4 * width), (4 * width,), (4 * width, width), (width,)),
    ]
    return ((50257, width), (1024, width), *block * 12, (width,), (width,))


SHAPES: dict[str, Shapes] = {
    "mlp": _dense(784, 256, 128, 10),
    "lenet": _lenet(),
    "resnet18": _resnet18(),
    "gpt2": _gpt2(),
    "1000x100": ((100,),) * 1000,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to time on."""

    name: str
    shapes: Shapes
    threads: int
    mode: str  # warm | cold
    dtype: str

    @property
    def elements(self) -> int:
        """The number of elements of all tensors."""
        return sum(map(math.prod, self.shapes))


def parse_sizes(text: str) -> list[int]:
    """Read sizes: numbers or powers, several with commas; a range goes up fourfold, and ends at its end.

    >>> parse_sizes("1000,2^10..2^15")
    [1000, 1024, 4096, 16384, 32768]

    Raises:
        ValueError: something is no size, or a range ends before it begins.

    """
    sizes = []
    for part in text.split(","):
        first, is_range, last = part.partition("..")
        begin = _size(first)
        end = _size(last) if is_range else begin
        if end < begin:
            msg = f"{part!r} ends before it begins"
            raise ValueError(msg)
        while begin < end:
            sizes.append(begin)
            begin *= FACTOR
        sizes.append(end)
    return list(dict.fromkeys(sizes))


def _size(text: str) -> int:
    base, power, exponent = text.strip().partition("^")
    if not base.isdecimal() or (power and not exponent.isdecimal()):
        msg = f"{text.strip()!r} is no size; write 1000, 2^16 or 2^8..2^20"
        raise ValueError(msg)
    size = int(base) ** int(exponent or 1) if int(exponent or 1) < 64 else 0  # noqa: PLR2004  # 2^64 is more than there is
    if not 0 < size < 2**40:
        msg = f"{text.strip()!r} elements are none, or more than there is memory for"
        raise ValueError(msg)
    return size


def parse_threads(text: str) -> list[int]:
    """Read numbers of threads, several with commas.

    >>> parse_threads("1, 2")
    [1, 2]

    Raises:
        ValueError: something is none.

    """
    counts = [word.strip() for word in text.split(",") if word.strip()]
    if not counts or not all(count.isdecimal() and int(count) for count in counts):
        msg = f"{text!r} are no numbers of threads; write 1 or 1,2"
        raise ValueError(msg)
    return list(dict.fromkeys(map(int, counts)))


def make_cases(
    sizes: Iterable[int], shapes: Iterable[str], threads: Sequence[int], modes: Sequence[str], dtype: str
) -> list[Case]:
    """Return all combinations, the small ones first: what time they leave is shared by the large ones."""
    tensors = [*((size_name(size), ((size,),)) for size in sizes), *((name, SHAPES[name]) for name in shapes)]
    made = [Case(name, each, n, mode, dtype) for (name, each), n, mode in product(tensors, threads, modes)]
    return sorted(made, key=lambda case: case.elements)


def cut(shapes: Shapes, limit: int) -> Shapes:
    """Return the shapes themselves, or if they have more elements than `limit` as many flat ones that are smaller."""
    sizes = list(map(math.prod, shapes))
    total = sum(sizes)
    return shapes if total <= limit else tuple((max(1, size * limit // total),) for size in sizes)
