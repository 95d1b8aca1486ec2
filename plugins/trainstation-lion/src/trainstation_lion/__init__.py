"""Lion for trainstation: names the optimizer, and imports it when it is first used."""

from __future__ import annotations

import trainstation as ts


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return Lion."""
    return [
        ts.OptimizerSpec(
            "lion",
            "trainstation_lion.lion:Lion",
            "sign of an interpolated momentum",
            tags=("momentum", "sign"),
            paper="https://arxiv.org/abs/2302.06675",
        )
    ]
