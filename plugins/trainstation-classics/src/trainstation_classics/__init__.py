"""The classics for trainstation: names the optimizers, and imports each when it is first used."""

from __future__ import annotations

import trainstation as ts

BETAS = [(0.9, 0.999), (0.9, 0.99), (0.95, 0.99)]  # that a search tries


@ts.hookimpl
def trainstation_optimizers() -> list[ts.OptimizerSpec]:
    """Return the seven."""
    return [
        ts.OptimizerSpec(
            "adagrad",
            "trainstation_classics.adagrad:Adagrad",
            "divides by the root of all squared gradients so far",
            tags=("adaptive",),
            paper="https://jmlr.org/papers/v12/duchi11a.html",
            search_space={"lr": (1e-3, 1.0), "initial_accumulator_value": [0.0, 0.1]},
        ),
        ts.OptimizerSpec(
            "adadelta",
            "trainstation_classics.adadelta:Adadelta",
            "steps in the units of the parameter: root mean square of steps over that of gradients",
            tags=("adaptive",),
            paper="https://arxiv.org/abs/1212.5701",
            search_space={"lr": (3e-2, 30.0), "rho": [0.9, 0.95], "eps": [1e-6, 1e-4]},
        ),
        ts.OptimizerSpec(
            "adamax",
            "trainstation_classics.adamax:Adamax",
            "Adam with the largest gradient in place of the mean square",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/1412.6980",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS},
        ),
        ts.OptimizerSpec(
            "nadam",
            "trainstation_classics.nadam:NAdam",
            "Adam with Nesterov's momentum",
            tags=("adaptive", "momentum"),
            paper="https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS},
        ),
        ts.OptimizerSpec(
            "radam",
            "trainstation_classics.radam:RAdam",
            "Adam whose adaptive rate waits until its variance is known",
            tags=("adaptive", "momentum"),
            paper="https://arxiv.org/abs/1908.03265",
            search_space={"lr": (1e-4, 1e-1), "betas": BETAS},
        ),
        ts.OptimizerSpec(
            "asgd",
            "trainstation_classics.asgd:ASGD",
            "gradient descent with a decaying rate, and an average of the parameters",
            tags=("averaging",),
            paper="https://doi.org/10.1137/0330046",
            search_space={"lr": (1e-3, 1.0), "lambd": [1e-4, 0.0]},
        ),
        ts.OptimizerSpec(
            "rprop",
            "trainstation_classics.rprop:Rprop",
            "a step size for each element, which follows the signs of its gradients; for full batches",
            tags=("sign",),
            paper="https://doi.org/10.1109/ICNN.1993.298623",
            search_space={
                "lr": (1e-4, 1e-1),
                "etas": [(0.5, 1.2), (0.7, 1.1)],
                "step_sizes": [(1e-6, 50.0), (1e-6, 1e-2)],
            },
        ),
    ]
