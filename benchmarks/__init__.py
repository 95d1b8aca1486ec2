"""Shape lists and set-ups over `trainstation.bench`; `python -m benchmarks` is the door."""
