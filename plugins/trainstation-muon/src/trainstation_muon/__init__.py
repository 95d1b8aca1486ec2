"""Muon for trainstation: names the optimizer, and imports it when it is first used."""

from __future__ import annotations

import trainstation as ts


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return Muon."""
    return [
        ts.OptimizerSpec(
            "muon",
            "trainstation_muon.muon:Muon",
            "orthogonalised momentum for matrices, AdamW for the rest",
            tags=("matrix", "momentum"),
            paper="https://kellerjordan.github.io/posts/muon/",
            search_space={"lr": (1e-4, 1e-1), "adjust_lr_fn": [None, "match_rms_adamw"], "weight_decay": [0.1, 0.0]},
        )
    ]
