"""The hooks that a plugin can implement, and the marks for both sides.

A plugin is a module. Its distribution names it in the entry-point group `trainstation`:

    [project.entry-points.trainstation]
    lion = "trainstation_lion"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trainstation.registry.names import OptimizerSpec
    from trainstation.registry.problem import Problem

__all__ = ["API_VERSION", "hookimpl", "hookspec"]

# A plugin's module may name the version that it was written for, as `TRAINSTATION_API = 1`; another one is left out.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("trainstation")
hookimpl = pluggy.HookimplMarker("trainstation")


@hookspec
def trainstation_optimizers() -> Iterable[OptimizerSpec]:
    """Return the optimizers of this plugin.

    A spec names its class as "module:Class", which is imported when the optimizer is first used: the plugin's module
    itself stays light.
    """
    return ()


@hookspec
def trainstation_problems() -> Iterable[Problem]:
    """Return problems to compare optimizers on; called when a benchmark asks for problems."""
    return ()
