"""The data of the problems, read from the package."""

from __future__ import annotations

import bz2
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Split", "breast_cancer", "diabetes", "digits", "letter", "mnist_5k", "randhie", "shakespeare"]

Array = NDArray[Any]
DATA = resources.files("trainstation") / "bench" / "data"


class Split(NamedTuple):
    """What is trained on, and what is held out."""

    inputs: Array
    targets: Array
    test_inputs: Array
    test_targets: Array


def _load(name: str) -> dict[str, Array]:
    with resources.as_file(DATA / f"{name}.npz") as path, np.load(path, allow_pickle=False) as data:
        return dict(data)


def _hold_out(inputs: Array, targets: Array, test: Array) -> Split:
    return Split(inputs[~test], targets[~test], inputs[test], targets[test])


def _every_fifth(count: int) -> Array:
    """Return which of so many rows are held out."""
    held_out: Array = np.arange(count) % 5 == 4  # noqa: PLR2004
    return held_out


def _standardised(features: Array, test: Array) -> Array:
    """Return columns of mean 0 and variance 1 over what is trained on."""
    trained = features[~test].astype(np.float64)
    standardised: Array = ((features - trained.mean(axis=0)) / trained.std(axis=0)).astype(np.float32)
    return standardised


@cache
def mnist_5k() -> Split:
    """Return train images (4000, 784), train labels, test images (1000, 784), test labels.

    Every fifth image of the 5,000 is for testing: 100 of each digit. Pixels are scaled to [0, 1] and standardised.
    """
    data = _load("mnist_5k")
    images, labels = data["images"].reshape(-1, 784), data["labels"].astype(np.int64)
    scaled = (images.astype(np.float32) / 255 - 0.1307) / 0.3081
    return _hold_out(scaled, labels, _every_fifth(len(labels)))


@cache
def digits() -> Split:
    """Return images (1438, 64), labels, and a fifth of all held out (359); counts of 0 to 16 are scaled to [0, 1]."""
    data = _load("digits")
    scaled = data["features"].astype(np.float32) / 16
    return _hold_out(scaled, data["labels"].astype(np.int64), _every_fifth(len(scaled)))


@cache
def breast_cancer() -> tuple[Array, Array]:
    """Return 30 standardised measures of 569 tumours, and whether each is benign, 0 or 1 as float32."""
    data = _load("breast_cancer")
    nothing = np.zeros(len(data["labels"]), bool)
    return _standardised(data["features"], nothing), data["labels"].astype(np.float32)


@cache
def diabetes() -> Split:
    """Return 10 measures of 354 people, the illness's progression, a fifth of all held out (88); all standardised."""
    data = _load("diabetes")
    test = _every_fifth(len(data["targets"]))
    return _hold_out(_standardised(data["features"], test), _standardised(data["targets"], test)[:, None], test)


@cache
def letter() -> Split:
    """Return 16 standardised features of 16,000 images of letters, which they are, and 4,000 held out."""
    data = _load("letter")
    test = _every_fifth(len(data["labels"]))
    return _hold_out(_standardised(data["features"], test), data["labels"].astype(np.int64), test)


@cache
def randhie() -> Split:
    """Return 9 standardised properties of people, their visits to a doctor in a year (float32), a fifth held out."""
    data = _load("randhie")
    test = _every_fifth(len(data["targets"]))
    return _hold_out(_standardised(data["features"], test), data["targets"].astype(np.float32)[:, None], test)


@cache
def shakespeare() -> str:
    """Return 32 works, one after the other: 3.6 million characters of which 81 are different."""
    return bz2.decompress((DATA / "shakespeare.txt.bz2").read_bytes()).decode("ascii")
