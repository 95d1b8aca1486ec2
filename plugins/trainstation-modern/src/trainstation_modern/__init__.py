"""Six recent optimizers for trainstation: names them, and imports each when it is first used."""

from __future__ import annotations

import trainstation as ts

BETAS = [(0.9, 0.999), (0.9, 0.99), (0.95, 0.99)]  # that a search tries


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return AdEMAMix, ADOPT, AdaBelief, Prodigy, cautious AdamW and SOAP."""
    return [
        ts.OptimizerSpec(
            "ademamix",
            "trainstation_modern.ademamix:AdEMAMix",
            "AdamW with a second, slow momentum",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/2409.03137",
            search_space={
                "lr": (1e-4, 1e-1),
                "betas": [(0.9, 0.999, 0.9999), (0.9, 0.999, 0.999), (0.9, 0.99, 0.99)],
                "alpha": [5.0, 2.0],
            },
        ),
        ts.OptimizerSpec(
            "adopt",
            "trainstation_modern.adopt:ADOPT",
            "Adam that divides by the second moment of the steps before, and then averages",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/2411.02853",
            search_space={"lr": (1e-4, 1e-1), "betas": [(0.9, 0.9999), (0.9, 0.999), (0.9, 0.99)]},
        ),
        ts.OptimizerSpec(
            "adabelief",
            "trainstation_modern.adabelief:AdaBelief",
            "Adam that divides by how far gradients are from their mean",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/2010.07468",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS},
        ),
        ts.OptimizerSpec(
            "prodigy",
            "trainstation_modern.prodigy:Prodigy",
            "Adam that finds its learning rate",
            tags=("adaptive", "learning-rate-free", "momentum"),
            paper="https://arxiv.org/abs/2306.06101",
            search_space={"lr": (3e-2, 30.0), "betas": [(0.9, 0.999), (0.9, 0.99)], "safeguard_warmup": [False, True]},
        ),
        ts.OptimizerSpec(
            "cautious_adamw",
            "trainstation_modern.cautious:CautiousAdamW",
            "AdamW that only moves where momentum and gradient agree",
            aliases=("cadamw",),
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/2411.16085",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS, "weight_decay": [1e-2, 0.0, 1e-1]},
        ),
        ts.OptimizerSpec(
            "soap",
            "trainstation_modern.soap:SOAP",
            "Adam in the eigenbasis of Shampoo's preconditioner",
            tags=("adaptive", "momentum", "second-order"),
            paper="https://arxiv.org/abs/2409.11321",
            search_space={"lr": (1e-4, 1e-1), "betas": [(0.95, 0.95), (0.9, 0.99)], "weight_decay": [1e-2, 0.0, 1e-1]},
        ),
    ]
