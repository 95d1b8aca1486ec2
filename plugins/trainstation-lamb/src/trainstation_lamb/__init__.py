"""LAMB and LARS for trainstation: names the optimizers, and imports them when they are first used."""

from __future__ import annotations

import trainstation as ts

BETAS = [(0.9, 0.999), (0.9, 0.99), (0.95, 0.99)]  # that a search tries


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return LAMB and LARS."""
    return [
        ts.OptimizerSpec(
            "lamb",
            "trainstation_lamb.lamb:Lamb",
            "Adam's direction, in each layer as long as its weights; for large batches",
            tags=("adaptive", "layerwise", "momentum"),
            paper="https://arxiv.org/abs/1904.00962",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS, "weight_decay": [1e-2, 0.0, 1e-1]},
        ),
        ts.OptimizerSpec(
            "lars",
            "trainstation_lamb.lars:Lars",
            "SGD, in each layer as long as its weights; for large batches",
            tags=("layerwise", "momentum"),
            paper="https://arxiv.org/abs/1708.03888",
            search_space={"lr": (3e-2, 30.0), "momentum": [0.9, 0.95], "weight_decay": [0.0, 1e-4]},
        ),
    ]
