"""The data of the problems, read from the package."""

from __future__ import annotations

import bz2
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mnist_5k", "shakespeare"]

Array = NDArray[Any]


@cache
def mnist_5k() -> tuple[Array, Array, Array, Array]:
    """Return train images (4000, 784), train labels, test images (1000, 784), test labels.

    Every fifth image of the 5,000 is for testing: 100 of each digit. Pixels are scaled to [0, 1] and standardised.
    """
    with (
        resources.as_file(resources.files("trainstation") / "bench" / "data" / "mnist_5k.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        images, labels = data["images"].reshape(-1, 784), data["labels"].astype(np.int64)
    scaled = (images.astype(np.float32) / 255 - 0.1307) / 0.3081
    test = np.arange(len(labels)) % 5 == 4  # noqa: PLR2004
    return scaled[~test], labels[~test], scaled[test], labels[test]


@cache
def shakespeare() -> str:
    """Return 32 works, one after the other: 3.6 million characters of which 81 are different."""
    packed = (resources.files("trainstation") / "bench" / "data" / "shakespeare.txt.bz2").read_bytes()
    return bz2.decompress(packed).decode("ascii")
