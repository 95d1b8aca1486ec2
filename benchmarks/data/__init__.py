"""What has made the files of trainstation/bench/data, from packages of the index: `python -m benchmarks.data.NAME`."""

from pathlib import Path

from trainstation import bench

__all__ = ["FOLDER"]

FOLDER = Path(bench.__file__).parent / "data"
