"""LAMB and LARS for trainstation: names the optimizers, and imports them when they are first used."""

from __future__ import annotations

import trainstation as ts


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
        ),
        ts.OptimizerSpec(
            "lars",
            "trainstation_lamb.lars:Lars",
            "SGD, in each layer as long as its weights; for large batches",
            tags=("layerwise", "momentum"),
            paper="https://arxiv.org/abs/1708.03888",
        ),
    ]
