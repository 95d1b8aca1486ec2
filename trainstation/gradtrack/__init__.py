"""GradTrack, the automatic differentiation: the graph that is recorded, and the switch that says whether it is."""

from trainstation.gradtrack.graph import (
    VJP,
    Gradients,
    GradTrack,
    Hooks,
    Leaf,
    Node,
    Out,
    RemovableHook,
    Saved,
    mark_written,
)
from trainstation.gradtrack.switch import NoGradTrack, enable_grad, is_grad_enabled, no_grad, set_grad_enabled

__all__ = [
    "VJP",
    "GradTrack",
    "Gradients",
    "Hooks",
    "Leaf",
    "NoGradTrack",
    "Node",
    "Out",
    "RemovableHook",
    "Saved",
    "enable_grad",
    "is_grad_enabled",
    "mark_written",
    "no_grad",
    "set_grad_enabled",
]
