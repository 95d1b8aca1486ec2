"""A plugin of trainstation: names its optimizer, which is imported when it is first used."""

from __future__ import annotations

import trainstation as ts


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return the optimizers of this distribution."""
    return [
        ts.OptimizerSpec(
            "my_optimizer",
            "trainstation_my_optimizer.my_optimizer:MyOptimizer",
            "steps of one size, along the sign of a momentum",
            tags=("momentum", "sign"),
            paper="https://arxiv.org/abs/1802.04434",
            search_space={"lr": (1e-5, 1e-2), "momentum": [0.9, 0.95]},
        )
    ]
