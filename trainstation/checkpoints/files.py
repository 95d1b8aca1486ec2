"""Files of checkpoints: written whole or not at all, and checked whole before anything is taken from them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trainstation.checkpoints.layout import BEGIN, DIGEST_AT, MAX_HEADER, ZEROS, Entry, header_of, parse
from trainstation.errors import CheckpointError

if TYPE_CHECKING:
    import mmap

__all__ = ["Contents", "Path", "read", "write"]

Array = NDArray[Any]
Path = str | os.PathLike[str]

PIECE = 1 << 20  # bytes read, hashed and written at once


@dataclass(frozen=True, slots=True)
class Contents:
    """What a checked file holds; the arrays are views of the mapped file, read-only.

    Attributes:
        document: what its metadata say.
        entries: its arrays, by name.
        mapped: the whole file.
        start: where the arrays' bytes begin.

    """

    document: dict[str, Any]
    entries: dict[str, Entry]
    mapped: mmap.mmap
    start: int

    def array(self, name: str) -> Array:
        """Return a view of an array; CheckpointError if there is none of this name, or a bool is neither 0 nor 1."""
        entry = self.entries.get(name)
        if entry is None:
            msg = f"the file has no array {name!r}"
            raise CheckpointError(msg)
        count = (entry.end - entry.begin) // entry.dtype.itemsize
        flat: Array = np.frombuffer(self.mapped, entry.dtype, count, self.start + entry.begin)
        if entry.tag == "BOOL" and count and flat.view(np.uint8).max() > 1:
            msg = f"{name}: a bool is neither 0 nor 1"
            raise CheckpointError(msg)
        return flat.reshape(entry.shape)


def write(
    path: Path, document: Mapping[str, Any], arrays: Mapping[str, Array], bfloat16: frozenset[str] = frozenset()
) -> None:
    """Write a file in the place of what was there: on disk is always the old one or the new one.

    The bytes go to `path` + ".tmp", which a killed save leaves behind and the next one writes over; two savers of one
    path wait for one another.

    Raises:
        CheckpointError: it cannot be written; what was there is as it was.

    """
    # The widest first: every array is aligned.
    ordered = dict(sorted(arrays.items(), key=lambda item: -item[1].dtype.itemsize))
    header = header_of(document, ordered, bfloat16)
    target = os.path.realpath(path)  # what a link points to is replaced, not the link
    try:
        if os.path.isdir(target):  # noqa: PTH112  # os.fspath'd already
            raise IsADirectoryError(21, "Is a directory", target)
        with _temporary(target) as file:
            _fill(file, header, ordered)
            os.fsync(file)
            os.rename(f"{target}.tmp", target)  # noqa: PTH104  # likewise
            _sync_folder(os.path.dirname(target))  # noqa: PTH120  # likewise
    except OSError as error:
        msg = f"cannot write {os.fspath(path)}: {error}; what was there is as it was"
        raise CheckpointError(msg) from error


@contextmanager
def _temporary(target: str) -> Iterator[int]:
    """Give an empty file beside the target that no other saver writes to; remove it unless it was renamed."""
    import fcntl

    name = f"{target}.tmp"
    while True:
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is(name, file):  # the process that held it has renamed it
                continue
            os.ftruncate(file, 0)
            try:
                with suppress(FileNotFoundError):
                    os.fchmod(file, stat.S_IMODE(os.stat(target).st_mode))  # noqa: PTH116  # as the old one
                yield file
            except BaseException:
                with suppress(OSError):
                    if _is(name, file):
                        os.unlink(name)  # noqa: PTH108  # likewise
                raise
            return
        finally:
            os.close(file)


def _is(name: str, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(name), os.fstat(file))  # noqa: PTH116  # likewise
    except FileNotFoundError:
        return False


def _fill(file: int, header: bytes, arrays: Mapping[str, Array]) -> None:
    """Write header and arrays piece by piece, and then the hash into its place."""
    import hashlib

    digest = hashlib.sha256()

    def put(data: memoryview) -> None:
        digest.update(data)
        while data:
            data = data[os.write(file, data) :]

    put(memoryview(header))
    for array in arrays.values():
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        data = plain.reshape(-1).view(np.uint8).data
        for begin in range(0, len(data), PIECE):
            put(data[begin : begin + PIECE])
    os.pwrite(file, digest.hexdigest().encode(), DIGEST_AT)


def _sync_folder(folder: str) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def read(path: Path) -> Contents:
    """Check a whole file, and give what it holds.

    Raises:
        CheckpointError: it is no checkpoint, damaged, or cannot be read.

    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe is not waited for
        try:
            return _read(file)
        finally:
            os.close(file)
    except OSError as error:
        msg = f"cannot read {os.fspath(path)}: {error}"
        raise CheckpointError(msg) from error
    except CheckpointError as error:
        msg = f"{os.fspath(path)} is no checkpoint of trainstation that can be read: {error}"
        raise CheckpointError(msg) from error


def _read(file: int) -> Contents:
    import mmap

    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        msg = "it is not a regular file"
        raise CheckpointError(msg)
    first = os.pread(file, DIGEST_AT + 64, 0)
    length = int.from_bytes(first[:8], "little")
    if not first.startswith(BEGIN, 8) or len(first) < DIGEST_AT + 64:
        msg = "it does not begin as one"
        raise CheckpointError(msg)
    if not len(BEGIN) + 64 < length <= min(MAX_HEADER, status.st_size - 8):
        msg = f"its header is said to have {length} bytes; the file has {status.st_size}, a header at most {MAX_HEADER}"
        raise CheckpointError(msg)
    if _digest(file, status.st_size) != first[DIGEST_AT:]:
        msg = "its sha256 is another: it is damaged"
        raise CheckpointError(msg)
    document, entries = parse(os.pread(file, length, 8), status.st_size - 8 - length)
    return Contents(document, entries, mmap.mmap(file, status.st_size, access=mmap.ACCESS_READ), 8 + length)


def _digest(file: int, size: int) -> bytes:
    """Return the hash of a file whose own digits are read as '0'."""
    import hashlib

    digest = hashlib.sha256(os.pread(file, DIGEST_AT, 0) + ZEROS)
    at = DIGEST_AT + 64
    while at < size:
        piece = os.pread(file, min(PIECE, size - at), at)
        if not piece:
            break
        digest.update(piece)
        at += len(piece)
    return digest.hexdigest().encode()
