"""Adafactor for trainstation: names the optimizer, and imports it when it is first used."""

from __future__ import annotations

import trainstation as ts


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return Adafactor."""
    return [
        ts.OptimizerSpec(
            "adafactor",
            "trainstation_adafactor.adafactor:Adafactor",
            "a second moment of rows and columns: memory that is hardly more than the parameters'",
            tags=("adaptive", "factored", "memory"),
            paper="https://arxiv.org/abs/1804.04235",
            search_space={"lr": (1e-3, 1.0), "beta2_decay": [-0.8, -0.5]},
        )
    ]
