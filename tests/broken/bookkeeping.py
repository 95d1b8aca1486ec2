"""Wrong in counters, states and hyper-parameters."""

import numpy as np

from broken.right import Right


def whose(optimizer, p):
    """Find the parameter that `update` is given a copy of, by its values."""
    return next(id(each) for each in optimizer._linked() if each.shape == p.shape and np.array_equal(each.data, p))


class GlobalCounter(Right):
    """Counts the steps of the optimizer, not those of the parameter."""

    def scalars(self, hyper, t):
        return super().scalars(hyper, 1 + max((int(state["step"]) for state in self.state.values()), default=0))


class StepsWithoutGradient(Right):
    """Takes a missing gradient for zero."""

    def step(self, parameters=None):
        if parameters is None:
            for p in self._linked():
                if p.grad is None:
                    p.grad = np.zeros_like(p.data)
        return super().step(parameters)


class DecaysTooEarly(Right):
    """Decays before the gradients are checked."""

    def step(self, parameters=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and (parameters is None or any(p is each for each in parameters)):
                    p.data *= p.dtype.type(1 - group["lr"] * group["weight_decay"])
        return super().step(parameters)

    def scalars(self, hyper, t):
        return super().scalars({**hyper, "weight_decay": 0}, t)


class NeverRefuses(Right):
    """Takes on_nonfinite, and forgets it."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore"):
        super().__init__(params, lr, beta, weight_decay)


class DecayOfDefaults(Right):
    """Decays as the optimizer does, not as the group does."""

    def scalars(self, hyper, t):
        return super().scalars({**hyper, "weight_decay": self.defaults["weight_decay"]}, t)


class NoDecay(Right):
    """Takes a weight_decay, and forgets it."""

    def scalars(self, hyper, t):
        return super().scalars({**hyper, "weight_decay": 0}, t)


class DecayWithoutRate(Right):
    """Decays by as much whatever the rate."""

    def scalars(self, hyper, t):
        beta, one_minus_beta, _, size = super().scalars(hyper, t)
        return beta, one_minus_beta, 1 - 0.01 * hyper["weight_decay"], size


class NegatesTwice(Right):
    """Negates what the base class has negated already."""

    def scalars(self, hyper, t):
        *rest, size = super().scalars(hyper, t)
        return *rest, -size if hyper["maximize"] else size


class LiveStateDict(Right):
    """Returns its own arrays from state_dict()."""

    def state_dict(self):
        number = {id(p): index for index, p in enumerate(self._linked())}
        return {**super().state_dict(), "state": {number[id(p)]: dict(state) for p, state in self.state.items()}}


class StaleState(Right):
    """Keeps the first array that it has seen, whatever is loaded later."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore"):
        super().__init__(params, lr, beta, weight_decay, on_nonfinite=on_nonfinite)
        self._seen = {}

    def update(self, p, g, state, scalars):
        seen = self._seen.setdefault(whose(self, p), state["exp_avg"].copy())
        super().update(p, g, {"exp_avg": seen}, scalars)
        state["exp_avg"][...] = seen


class HiddenState(Right):
    """Keeps its momentum where no checkpoint finds it."""

    states = ()

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore"):
        super().__init__(params, lr, beta, weight_decay, on_nonfinite=on_nonfinite)
        self._hidden = {}

    def update(self, p, g, state, scalars):
        super().update(p, g, {"exp_avg": self._hidden.setdefault(whose(self, p), np.zeros_like(p))}, scalars)


class RateOfTheFirstGroup(Right):
    """Steps every group at the rate of the first."""

    def scalars(self, hyper, t):
        return super().scalars({**hyper, "lr": self.param_groups[0]["lr"]}, t)


class BetaOfTheBeginning(Right):
    """Goes by the beta that it was made with."""

    def __init__(self, params=None, lr=1e-2, beta=0.9, weight_decay=0, *, on_nonfinite="ignore"):
        super().__init__(params, lr, beta, weight_decay, on_nonfinite=on_nonfinite)
        self._beta = beta

    def scalars(self, hyper, t):
        return super().scalars({**hyper, "beta": self._beta}, t)


class RateWithoutEffect(Right):
    """Steps by as much whatever the rate, but for none at all."""

    def scalars(self, hyper, t):
        beta, one_minus_beta, keep, size = super().scalars(hyper, t)
        return beta, one_minus_beta, keep, size / hyper["lr"] * 0.01 if hyper["lr"] else 0.0
