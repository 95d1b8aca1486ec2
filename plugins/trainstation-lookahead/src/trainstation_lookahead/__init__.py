"""Lookahead for trainstation: names the optimizer, and imports it when it is first used."""

from __future__ import annotations

import trainstation as ts


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return Lookahead."""
    return [
        ts.OptimizerSpec(
            "lookahead",
            "trainstation_lookahead.lookahead:Lookahead",
            "slow weights that follow another optimizer's, adam's by default",
            tags=("averaging", "wrapper"),
            paper="https://arxiv.org/abs/1907.08610",
            search_space={"lr": (1e-4, 1e-1), "k": [5, 10], "alpha": [0.5, 0.8]},
        )
    ]
