"""Every exception and warning class of trainstation."""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "DuplicateOptimizerError",
    "GraphError",
    "KernelABIError",
    "KernelError",
    "MissingGradientError",
    "NoGradientWarning",
    "NonFiniteGradientError",
    "PluginWarning",
    "ShapeError",
    "TrainStationError",
    "UnknownOptimizerError",
    "UnlinkedParameterError",
]


class TrainStationError(Exception):
    """The base of all errors that trainstation defines."""


class UnknownOptimizerError(TrainStationError, KeyError, ValueError):
    """No optimizer is registered under this name."""

    # KeyError would print the message in quotes.
    __str__ = Exception.__str__


class DuplicateOptimizerError(TrainStationError, ValueError):
    """More than one distribution registers this name."""


class UnlinkedParameterError(TrainStationError):
    """The parameter was never given to this optimizer, or has been unlinked."""


class MissingGradientError(TrainStationError):
    """The parameter was asked to be updated, but has no gradient."""


class NonFiniteGradientError(TrainStationError):
    """A gradient has a NaN or an infinity, and the optimizer was asked to raise."""


class CheckpointError(TrainStationError):
    """A checkpoint cannot be written, is damaged, or does not fit what it is loaded into."""


class GraphError(TrainStationError, RuntimeError):
    """The recorded graph cannot be run backward."""


class ShapeError(TrainStationError, ValueError):
    """Two arrays that belong together have shapes that do not fit."""


class KernelError(TrainStationError):
    """The compiled kernels cannot do what was asked, or the instruction set is absent here."""


class KernelABIError(KernelError):
    """A plugin's compiled rules were built for another version of the C headers, or describe what cannot be."""


class PluginWarning(UserWarning):
    """An installed plugin could not be used."""


class NoGradientWarning(UserWarning):
    """A step was asked for, but no linked parameter has a gradient."""
