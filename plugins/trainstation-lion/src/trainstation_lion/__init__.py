"""Lion for trainstation: names it and its variant, and imports them when they are first used."""

from __future__ import annotations

import trainstation as ts


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return Lion and cautious Lion."""
    return [
        ts.OptimizerSpec(
            "lion",
            "trainstation_lion.lion:Lion",
            "sign of an interpolated momentum",
            tags=("momentum", "sign"),
            paper="https://arxiv.org/abs/2302.06675",
            search_space={"lr": (1e-5, 1e-2), "betas": [(0.9, 0.99), (0.95, 0.98)], "weight_decay": [0.0, 1e-1]},
        ),
        ts.OptimizerSpec(
            "clion",
            "trainstation_lion.lion:CautiousLion",
            "Lion without the elements whose direction is against their gradient",
            tags=("cautious", "momentum", "sign"),
            paper="https://arxiv.org/abs/2411.16085",
            search_space={"lr": (1e-5, 1e-2), "betas": [(0.9, 0.99), (0.95, 0.98)], "weight_decay": [0.0, 1e-1]},
        ),
    ]
