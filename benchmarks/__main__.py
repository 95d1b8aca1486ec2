"""`python -m benchmarks NAME` runs one of our own benchmarks."""

from __future__ import annotations

import argparse

from benchmarks import startup

BENCHMARKS = {"startup": startup}


def main() -> None:
    """Run what is named."""
    listed = "\n".join(f"  {name:10}{module.__doc__}" for name, module in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Our own benchmarks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=BENCHMARKS)
    BENCHMARKS[parser.parse_args().name].main()


if __name__ == "__main__":
    main()
