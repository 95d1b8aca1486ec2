"""Wrong in what a user reads and types."""

from broken.right import Right
from trainstation.optimizers import Optimizer


class NoDocstring(Right):
    __doc__ = None


class SummaryOfTwoLines(Right):
    """An optimizer whose
    summary does not end where its line does.
    """


class ArgumentsWithoutDescription(Right):
    """Has an argument of which its docstring says nothing."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, warmth=0.0, on_nonfinite="ignore"):
        hyper = {"lr": lr, "beta": beta, "weight_decay": weight_decay, "warmth": warmth}
        Optimizer.__init__(self, params, hyper, on_nonfinite=on_nonfinite)


class ExtrasByPosition(Right):
    """Takes maximize by position."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, maximize=False, on_nonfinite="ignore"):
        super().__init__(params, lr, beta, weight_decay, maximize=maximize, on_nonfinite=on_nonfinite)


class AnotherDefault(Right):
    """Says that its rate is 0.01, and takes a tenth of it."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore"):
        super().__init__(params, lr / 10, beta, weight_decay, on_nonfinite=on_nonfinite)


class SwallowsKeywords(Right):
    """Takes any keyword."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore", **kwargs):
        super().__init__(params, lr, beta, weight_decay, on_nonfinite=on_nonfinite)


class BetaOfTheInstance(Right):
    """Keeps beta where no group and no checkpoint can have it."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore"):
        Optimizer.__init__(self, params, {"lr": lr, "weight_decay": weight_decay}, on_nonfinite=on_nonfinite)
        self._beta = beta

    def scalars(self, hyper, t):
        return super().scalars({**hyper, "beta": self._beta}, t)
