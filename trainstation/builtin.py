"""The first-party plugin: it registers our optimizers through the hook that everyone uses."""

from __future__ import annotations

from trainstation.hookspecs import hookimpl
from trainstation.registry import OptimizerSpec

__all__ = ["trainstation_optimizers"]


@hookimpl
def trainstation_optimizers() -> list[OptimizerSpec]:
    """Return Adam, AdamW, SGD and RMSprop."""
    return [
        OptimizerSpec(
            "adam",
            "trainstation.optimizers.adam:Adam",
            "adaptive moment estimation",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/1412.6980",
        ),
        OptimizerSpec(
            "adamw",
            "trainstation.optimizers.adam:AdamW",
            "Adam with decoupled weight decay",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/1711.05101",
        ),
        OptimizerSpec(
            "sgd",
            "trainstation.optimizers.sgd:SGD",
            "gradient descent, with momentum and Nesterov's variant on request",
            tags=("momentum",),
            paper="https://proceedings.mlr.press/v28/sutskever13.html",
        ),
        OptimizerSpec(
            "rmsprop",
            "trainstation.optimizers.rmsprop:RMSprop",
            "gradient divided by its running root mean square",
            tags=("adaptive",),
            paper="https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf",
        ),
    ]
