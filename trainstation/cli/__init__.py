"""The command line."""

from trainstation.cli.app import main

__all__ = ["main"]
