"""Optimizer states kept in 16 or 8 bits: what kernels/include/trainstation/codec.h means, in NumPy.

Every rounding is stochastic: up or down with the probability that keeps the mean, from a hash of the element's index
and the step. Rounded to nearest, `v * 0.999` would never decay.

- bfloat16: the upper half of a float32, in an array of uint16.
- 8 bit: blocks of 256 elements share a power of two, `2 ** (scale - 127)`, the binade of the largest magnitude. An
  element is a byte: exponent below it and 3 bits of mantissa; a "positive" state (a second moment) has 31 binades, a
  "signed" one a sign and 15. 0 is zero, and a positive value never becomes zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.kernels import BFLOAT16_STATE, BLOCK, EIGHT_BIT_STATE, FLOAT32, FLOAT64

__all__ = ["STATE_DTYPES", "bytes_of", "decode", "encode", "format_of", "layout", "narrow"]

Array = NDArray[Any]

STATE_DTYPES = (None, "float32", "bfloat16", "8bit")
LEAST_8BIT = 4096  # smaller parameters keep float32
LEAST_SCALE = 31
WEYL = 0x9E379E37
MASK32, MASK64 = (1 << 32) - 1, (1 << 64) - 1
KEYS = {BFLOAT16_STATE: 16, EIGHT_BIT_STATE: 20}  # random bits, as many as are dropped


def format_of(state_dtype: str | None, data: Array, kinds: Iterable[str]) -> int:
    """Return how the states of a parameter are kept, given what its optimizer asks for and the kinds of its states."""
    if data.dtype == np.float64:
        return FLOAT64
    if all(kind == "exact" for kind in kinds):
        return FLOAT32
    if state_dtype == "bfloat16":
        return BFLOAT16_STATE
    return EIGHT_BIT_STATE if state_dtype == "8bit" and data.size >= LEAST_8BIT else FLOAT32


def narrow(kinds: Mapping[str, str], fmt: int) -> dict[str, str]:
    """Return those states that this format keeps narrower, with their kinds."""
    return {name: kind for name, kind in kinds.items() if kind != "exact"} if fmt in KEYS else {}


def encode(name: str, values: Array, kind: str, fmt: int, t: int, place: int) -> dict[str, Array]:
    """Return the arrays that a state is kept in: `name`, and in 8 bit `name_scale`.

    Args:
        name: of the state.
        values: float32.
        kind: signed or positive.
        fmt: BFLOAT16_STATE or EIGHT_BIT_STATE.
        t: the step that gave the values.
        place: of the state in its rule's order.

    """
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    random = _random(flat.size, t, place, KEYS[fmt])
    if fmt == BFLOAT16_STATE:
        return {name: _encode_bfloat16(flat, kind, random).reshape(values.shape)}
    codes, scales = _encode_8bit(flat, kind, random)
    return {name: codes.reshape(values.shape), f"{name}_scale": scales}


def decode(name: str, state: Mapping[str, Any], kind: str, fmt: int) -> Array:
    """Return a new float32 array of the values of a state that `encode` gave."""
    codes = state[name]
    flat = codes.reshape(-1).astype(np.uint32)
    if fmt == BFLOAT16_STATE:
        whole: Array = (flat << 16).view(np.float32).reshape(codes.shape)
        return whole
    scale = np.repeat(state[f"{name}_scale"].astype(np.uint32), BLOCK)[: flat.size]
    binades, size, sign = (31, flat, flat & 0) if kind == "positive" else (15, flat & 127, flat >> 7 << 31)
    bits = np.where(size > 0, (size << 20) + (scale - binades << 23), 0) | sign
    values: Array = bits.astype(np.uint32).view(np.float32).reshape(codes.shape)
    return values


def layout(
    names: Iterable[str], kinds: Mapping[str, str], fmt: int, data: Array
) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Return shape and dtype of the arrays that the states of a parameter are kept in."""
    kept: dict[str, tuple[tuple[int, ...], Any]] = {}
    narrower = narrow(kinds, fmt)
    for name in names:
        if name not in narrower:
            kept[name] = data.shape, data.dtype
        elif fmt == BFLOAT16_STATE:
            kept[name] = data.shape, np.uint16
        else:
            kept[name] = data.shape, np.uint8
            kept[f"{name}_scale"] = (-(-data.size // BLOCK),), np.uint8
    return kept


def bytes_of(state: Mapping[str, Any], *, with_counter: bool = False) -> int:
    """Return how many bytes the arrays of a state take."""
    counted = [value for name, value in state.items() if with_counter or name != "step"]
    return sum(value.nbytes for value in counted if isinstance(value, np.ndarray))


def _key(t: int, upper: int) -> int:
    x = (t * 0x9E3779B97F4A7C15 + upper) & MASK64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK64
    return (x ^ x >> 31) & MASK32


def _random(n: int, t: int, place: int, bits: int) -> Array:
    """Return `bits` random bits for each of n elements."""
    i = np.arange(n, dtype=np.uint64)
    keys = np.array([_key(t, upper) for upper in range((n >> 32) + 1)], np.uint64)
    x = ((i * WEYL & MASK32) ^ keys[i >> 32]).astype(np.uint32)
    x = (x ^ x >> 16) * np.uint32(0x7FEB352D)
    chosen: Array = (x >> (0, 32 - bits, 8, 4)[place]) & np.uint32((1 << bits) - 1)
    return chosen


def _encode_bfloat16(values: Array, kind: str, random: Array) -> Array:
    bits = values.view(np.uint32)
    size = bits & np.uint32(0x7FFFFFFF)
    codes = np.minimum((size + random) >> 16, 0x7FFF)  # a NaN stays one
    if kind == "positive":
        codes = np.maximum(codes, np.minimum((size + np.uint32(0xFFFF)) >> 16, 1))
    else:
        codes |= bits >> 31 << 15
    narrow_codes: Array = codes.astype(np.uint16)
    return narrow_codes


def _encode_8bit(values: Array, kind: str, random: Array) -> tuple[Array, Array]:
    bits = values.view(np.uint32)
    size = bits & np.uint32(0x7FFFFFFF)
    blocks = np.zeros(-(-size.size // BLOCK) * BLOCK, np.uint32)
    blocks[: size.size] = size
    largest = blocks.reshape(-1, BLOCK).max(1) if size.size else blocks
    scales = np.clip((largest + np.uint32(0xFFFFF)) >> 23, LEAST_SCALE, 255)
    scale = np.repeat(scales, BLOCK)[: size.size]
    rounded = np.minimum((size + random) >> 16, 0x7FFF).astype(np.int64)
    if kind == "positive":
        codes = np.maximum(rounded - ((scale - 31) << 7) >> 4, np.minimum((size + np.uint32(0xFFFF)) >> 16, 8))
    else:
        least = (scale - np.uint32(14)) << 23
        total = size.view(np.float32) + (least | random << 3).view(np.float32)
        small = np.where(total.view(np.uint32) >= least + np.uint32(1 << 23), 8, 0)
        normal = np.minimum(rounded - ((scale - 15) << 7) >> 4, 127)
        codes = np.where(size < least, small, normal) | (bits >> 31 << 7)
    return codes.astype(np.uint8), scales.astype(np.uint8)
