"""The first-party plugin, under the name that the metadata of former versions give it."""

from trainstation.registry.builtin import trainstation_optimizers

__all__ = ["trainstation_optimizers"]
