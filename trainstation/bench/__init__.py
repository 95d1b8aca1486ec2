"""Fair benchmarks of whatever is registered. Needs the extra `bench`; `trainstation bench` is the door."""

__all__ = ["OUT", "PROBLEM"]

OUT = "trainstation-bench"  # the folder of all files, unless another is named
PROBLEM = "mnist5k_mlp"  # what is trained, unless another is named
