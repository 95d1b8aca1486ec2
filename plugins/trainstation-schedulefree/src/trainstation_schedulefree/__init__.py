"""Schedule-free optimizers for trainstation: names them, and imports them when they are first used."""

from __future__ import annotations

import trainstation as ts

PAPER = "https://arxiv.org/abs/2405.15682"


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return schedule-free AdamW and SGD."""
    return [
        ts.OptimizerSpec(
            "schedulefree_adamw",
            "trainstation_schedulefree.schedulefree:AdamWScheduleFree",
            "AdamW with an average of the weights in place of a schedule",
            tags=("adaptive", "averaging", "schedule-free"),
            paper=PAPER,
            search_space={
                "lr": (1e-4, 1e-1),
                "betas": [(0.9, 0.999), (0.95, 0.999), (0.98, 0.999)],
                "weight_decay": [0.0, 1e-2],
            },
        ),
        ts.OptimizerSpec(
            "schedulefree_sgd",
            "trainstation_schedulefree.schedulefree:SGDScheduleFree",
            "SGD with an average of the weights in place of a schedule",
            tags=("averaging", "momentum", "schedule-free"),
            paper=PAPER,
            search_space={"lr": (1e-2, 10.0), "momentum": [0.9, 0.95, 0.98]},
        ),
    ]
