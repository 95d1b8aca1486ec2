"""The registry: names of optimizers, what is known about each, and where it comes from."""

from trainstation.registry.hookspecs import hookimpl
from trainstation.registry.lookup import (
    get_optimizer,
    list_optimizers,
    optimizer_info,
    register_optimizer,
    unregister_optimizer,
)
from trainstation.registry.names import OptimizerInfo, OptimizerSpec
from trainstation.registry.problem import Problem

__all__ = [
    "OptimizerInfo",
    "OptimizerSpec",
    "Problem",
    "get_optimizer",
    "hookimpl",
    "list_optimizers",
    "optimizer_info",
    "register_optimizer",
    "unregister_optimizer",
]
