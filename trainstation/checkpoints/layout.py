"""How a checkpoint lies in its file: the layout of safetensors, its metadata, and every check of both.

8 bytes: the length of the header, little-endian. The header: JSON, padded with spaces to a multiple of 8. Then the
arrays' bytes, without holes. The header begins with the metadata "sha256", that of the whole file with these 64 digits
read as '0': so nothing of a damaged file is parsed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import CheckpointError

__all__ = ["BEGIN", "DIGEST_AT", "FORMAT", "MAX_HEADER", "ZEROS", "Entry", "header_of", "parse"]

Array = NDArray[Any]

FORMAT = 1
BEGIN = b'{"__metadata__":{"sha256":"'
DIGEST_AT = 8 + len(BEGIN)
ZEROS = b"0" * 64
MAX_HEADER = 1 << 25
# What safetensors calls the dtypes, and bfloat16 as NumPy holds it: uint16.
DTYPES: dict[str, np.dtype[Any]] = {
    tag: np.dtype(f"<{code}")
    for tag, code in (
        *(("F64", "f8"), ("F32", "f4"), ("F16", "f2"), ("BF16", "u2"), ("BOOL", "?")),
        *(("I64", "i8"), ("I32", "i4"), ("I16", "i2"), ("I8", "i1")),
        *(("U64", "u8"), ("U32", "u4"), ("U16", "u2"), ("U8", "u1")),
    )
}
TAGS = {dtype: tag for tag, dtype in DTYPES.items() if tag != "BF16"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One array of a file: its dtype as safetensors calls it, its shape, and its bytes after the header."""

    tag: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype as NumPy holds it."""
        return DTYPES[self.tag]


def header_of(document: Mapping[str, Any], arrays: Mapping[str, Array], bfloat16: frozenset[str]) -> bytes:
    """Return the first bytes of a file, its digits still '0'; the arrays follow in the order of `arrays`.

    Raises:
        CheckpointError: a dtype that safetensors has not, a name that is not Unicode, or too many names.

    """
    metadata = {"sha256": ZEROS.decode(), "trainstation": json.dumps(document, allow_nan=False)}
    header: dict[str, Any] = {"__metadata__": metadata}
    begin = 0
    for name, array in arrays.items():
        tag = "BF16" if name in bfloat16 else TAGS.get(array.dtype.newbyteorder("<"))
        if tag is None:
            msg = f"{name}: a checkpoint holds no arrays of {array.dtype}"
            raise CheckpointError(msg)
        end = begin + array.nbytes
        header[name] = {"dtype": tag, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    try:
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        msg = f"a name is not Unicode: {error}"
        raise CheckpointError(msg) from error
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        msg = f"names and settings take {len(text)} bytes, a header holds {MAX_HEADER}"
        raise CheckpointError(msg)
    return len(text).to_bytes(8, "little") + text


def parse(text: bytes, size: int) -> tuple[dict[str, Any], dict[str, Entry]]:
    """Return document and entries of a header, before `size` bytes of arrays; CheckpointError if anything is wrong."""
    header = _decoded(text)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        msg = "the metadata are not strings by name"
        raise CheckpointError(msg)
    if "trainstation" not in metadata:
        msg = "the metadata are not of trainstation"
        raise CheckpointError(msg)
    entries = {name: _entry(name, value) for name, value in header.items()}
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:
            msg = f"the bytes of {name} begin at {entry.begin}, not at {at}: they overlap others, or leave a hole"
            raise CheckpointError(msg)
        at = entry.end
    if at != size:
        msg = f"the arrays take {at} bytes, the file has {size}"
        raise CheckpointError(msg)
    document = _decoded(metadata["trainstation"])
    if document.get("format") != FORMAT:
        msg = f"its format is {document.get('format')!r}; this version of trainstation reads {FORMAT}"
        raise CheckpointError(msg)
    return document, entries


def _decoded(text: str | bytes) -> dict[str, Any]:
    """Decode a JSON object, of which no name may appear twice, and no number be NaN or infinite."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        msg = f"its header is not JSON: {error}"
        raise CheckpointError(msg) from error
    if not isinstance(value, dict):
        msg = "its header is not a JSON object"
        raise CheckpointError(msg)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        msg = "a name appears twice"
        raise ValueError(msg)
    return made


def _no_constant(text: str) -> None:
    msg = f"{text} is no number"
    raise ValueError(msg)


def _entry(name: str, value: Any) -> Entry:
    """Check what the header says of one array."""
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        msg = f"{name}: dtype, shape and data_offsets are needed"
        raise CheckpointError(msg)
    tag, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(tag, str) or tag not in DTYPES:
        msg = f"{name}: unknown dtype {tag!r}"
        raise CheckpointError(msg)
    for what in (shape, offsets):
        if not isinstance(what, list) or not all(type(number) is int and 0 <= number < 1 << 63 for number in what):
            msg = f"{name}: shape and data_offsets are counts, not {what!r}"
            raise CheckpointError(msg)
    if len(shape) > 64:  # noqa: PLR2004  # NumPy's limit of dimensions
        msg = f"{name}: {len(shape)} dimensions"
        raise CheckpointError(msg)
    if len(offsets) != 2 or offsets[1] - offsets[0] != prod(shape) * DTYPES[tag].itemsize:  # noqa: PLR2004  # begin, end
        msg = f"{name}: {tag} of shape {shape} does not lie at {offsets}"
        raise CheckpointError(msg)
    return Entry(tag, tuple(shape), *offsets)
