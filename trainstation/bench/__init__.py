"""Fair benchmarks of whatever is registered. Needs the extra `bench`; `trainstation bench` is the door."""

__all__ = ["OUT"]

OUT = "trainstation-bench"  # the folder of all files, unless another is named
