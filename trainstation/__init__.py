"""trainstation: a CPU-first home for optimizers.

>>> import trainstation as ts
>>> model = ts.nn.Linear(3, 1)
>>> optimizer = ts.create_optimizer("adamw", model.parameters(), lr=3e-4)
>>> model(ts.Tensor.ones([8, 3])).mean().backward()
>>> optimizer.step()

"""

import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from trainstation import kernels, nn, optimizers, random
from trainstation.errors import (
    CheckpointError,
    DuplicateOptimizerError,
    GraphError,
    KernelABIError,
    KernelError,
    MissingGradientError,
    NoGradientWarning,
    NonFiniteGradientError,
    PluginWarning,
    ShapeError,
    TrainStationError,
    UnknownOptimizerError,
    UnlinkedParameterError,
)
from trainstation.gradtrack import GradTrack, NoGradTrack, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from trainstation.kernels import get_num_threads, set_num_threads
from trainstation.optimizers import EMA, SWA, accumulate, clip_grad_norm_, clip_grad_value_
from trainstation.optimizers.param_groups import param_groups_layer_decay, param_groups_weight_decay
from trainstation.random import manual_seed
from trainstation.tensor import Tensor, tensor
from trainstation.tensor.functions import cat, chunk, einsum, from_dlpack, grad, maximum, minimum, split, stack, where
from trainstation.version import __version__ as __version__

if TYPE_CHECKING:
    from trainstation import schedulers, schedules
    from trainstation.checkpoints import CheckpointManager, load, save
    from trainstation.create import create_optimizer
    from trainstation.registry import (
        OptimizerInfo,
        OptimizerSpec,
        get_optimizer,
        hookimpl,
        list_optimizers,
        optimizer_info,
        register_optimizer,
        unregister_optimizer,
    )

if Path(__file__).with_name("split_bregman.py").exists():  # PyPI's trainstation has it, and an __init__.py as we do
    from trainstation_optim import REMEDY

    warnings.warn(f"{Path(__file__).parent} holds another project, too: {REMEDY}", stacklevel=2)

# Modules of former versions, in which pickles find what has moved; Tensor had parts of other names.
_PARTS = ["Conversion", "Differentiable", "Elementary", "Indexed", "Interchange", "Methods", "Operators", "Reduced"]
_former = ModuleType("former")
vars(_former).update(dict.fromkeys(_PARTS, Tensor), Extreme=import_module(f"{__name__}.tensor.reductions").Extreme)
sys.modules |= {
    **{f"{__name__}.{part.lower()}": _former for part in _PARTS},
    **{f"{__name__}.{each}": sys.modules[__name__] for each in ("functions", "gradmode", "param_groups", "plugins")},
    f"{__name__}.generators": random,
    f"{__name__}.nn.states": nn.loading,
}

# Imported when they are first asked for: a step needs none of them.
_LATE = {
    "checkpoints": ("CheckpointManager", "checkpoints", "load", "save"),
    "create": ("create_optimizer",),
    "registry": (
        *("OptimizerInfo", "OptimizerSpec", "get_optimizer", "hookimpl", "list_optimizers"),
        *("optimizer_info", "register_optimizer", "registry", "unregister_optimizer"),
    ),
    "schedulers": ("schedulers",),
    "schedules": ("schedules",),
}


if not TYPE_CHECKING:  # it would have type checkers take any name

    def __getattr__(name: str) -> Any:
        for room, names in _LATE.items():
            if name in names:
                module = import_module(f"{__name__}.{room}")
                globals()[name] = value = module if name == room else getattr(module, name)
                return value
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(
        {*globals(), *__all__} - {"TYPE_CHECKING", "Any", "ModuleType", "Path", "import_module", "sys", "warnings"}
    )


__all__ = [
    "EMA",
    "SWA",
    "CheckpointError",
    "CheckpointManager",
    "DuplicateOptimizerError",
    "GradTrack",
    "GraphError",
    "KernelABIError",
    "KernelError",
    "MissingGradientError",
    "NoGradTrack",
    "NoGradientWarning",
    "NonFiniteGradientError",
    "OptimizerInfo",
    "OptimizerSpec",
    "PluginWarning",
    "ShapeError",
    "Tensor",
    "TrainStationError",
    "UnknownOptimizerError",
    "UnlinkedParameterError",
    "accumulate",
    "cat",
    "chunk",
    "clip_grad_norm_",
    "clip_grad_value_",
    "create_optimizer",
    "einsum",
    "enable_grad",
    "from_dlpack",
    "get_num_threads",
    "get_optimizer",
    "grad",
    "hookimpl",
    "is_grad_enabled",
    "kernels",
    "list_optimizers",
    "load",
    "manual_seed",
    "maximum",
    "minimum",
    "nn",
    "no_grad",
    "optimizer_info",
    "optimizers",
    "param_groups_layer_decay",
    "param_groups_weight_decay",
    "random",
    "register_optimizer",
    "save",
    "schedulers",
    "schedules",
    "set_grad_enabled",
    "set_num_threads",
    "split",
    "stack",
    "tensor",
    "unregister_optimizer",
    "where",
]
