"""`python -m trainstation.kernels --include`: where the C headers are, for a plugin's build."""

from __future__ import annotations

import argparse

from trainstation.kernels import get_include


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m trainstation.kernels", description="Facts for a plugin's build.")
    parser.add_argument("--include", action="store_true", required=True, help="the folder of the C headers")
    parser.parse_args()
    print(get_include())  # noqa: T201  # a command


if __name__ == "__main__":
    main()
