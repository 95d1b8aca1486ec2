"""The first-party plugin: it registers our optimizers through the hook that everyone uses."""

from __future__ import annotations

from trainstation.registry.hookspecs import hookimpl
from trainstation.registry.names import OptimizerSpec

__all__ = ["trainstation_optimizers"]

BETAS = [(0.9, 0.999), (0.9, 0.99), (0.95, 0.99)]  # a short run has no time for a memory of 1000 steps


@hookimpl
def trainstation_optimizers() -> list[OptimizerSpec]:
    """Return Adam, AdamW, SGD and RMSprop.

    What is searched: rates over three decades, for every optimizer as many, around where its users set them; beside
    them what users turn next, at most two hyper-parameters of a few choices, for a search has about ten points.
    """
    return [
        OptimizerSpec(
            "adam",
            "trainstation.optimizers.adam:Adam",
            "adaptive moment estimation",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/1412.6980",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS},
        ),
        OptimizerSpec(
            "adamw",
            "trainstation.optimizers.adam:AdamW",
            "Adam with decoupled weight decay",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/1711.05101",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS, "weight_decay": [1e-2, 0.0, 1e-1]},
        ),
        OptimizerSpec(
            "sgd",
            "trainstation.optimizers.sgd:SGD",
            "gradient descent, with momentum and Nesterov's variant on request",
            tags=("momentum",),
            paper="https://proceedings.mlr.press/v28/sutskever13.html",
            search_space={"lr": (1e-3, 1.0), "momentum": [0.9, 0.95, 0.98], "nesterov": [False, True]},
        ),
        OptimizerSpec(
            "rmsprop",
            "trainstation.optimizers.rmsprop:RMSprop",
            "gradient divided by its running root mean square",
            tags=("adaptive",),
            paper="https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
            search_space={"lr": (1e-4, 1e-1), "alpha": [0.99, 0.9], "momentum": [0.0, 0.9]},
        ),
    ]
