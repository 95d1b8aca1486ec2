"""Fair benchmarks of whatever is registered. Needs the extra `bench`; `trainstation bench` is the door."""
