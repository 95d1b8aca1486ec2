"""Wrong in what `update` makes of arrays."""

import time
from typing import ClassVar

import numpy as np

from broken.right import Right
from trainstation.optimizers import Adam
from trainstation.optimizers.elementwise import flush
from trainstation.optimizers.groups import gradient_of


class NotInPlace(Right):
    """Forgets what it has computed."""

    def update(self, p, g, state, scalars):
        p = p.copy()
        super().update(p, g, state, scalars)


class WritesToItsGradient(Right):
    """Adds decay to the gradient that it was given, which is read-only."""

    def update(self, p, g, state, scalars):
        g += p
        super().update(p, g, state, scalars)


class ForgetsAState(Right):
    """Uses a state that it has not named."""

    states = ()


class Noisy(Right):
    """Draws from the global generator."""

    def update(self, p, g, state, scalars):
        super().update(p, g + np.random.standard_normal(g.shape).astype(g.dtype), state, scalars)  # noqa: NPY002  # that is it


class Uphill(Right):
    """Goes the wrong way."""

    def update(self, p, g, state, scalars):
        super().update(p, -g, state, scalars)


class HalvesGradients(Right):
    """Writes to .grad before the step."""

    def prepare(self, active):
        for p in active:
            gradient_of(p)[...] *= 0.5


class LargestOfNone(Right):
    """Divides by the largest element, of which an empty parameter has none."""

    def update(self, p, g, state, scalars):
        super().update(p, g / np.abs(g).max(), state, scalars)


class WritesToACopy(Right):
    """Writes to a flat copy of a view."""

    def update(self, p, g, state, scalars):
        flat = {name: array.reshape(-1) for name, array in state.items()}
        super().update(p.reshape(-1), g.reshape(-1), flat, scalars)


class SinglePrecision(Right):
    """Rounds every gradient to float32."""

    def update(self, p, g, state, scalars):
        super().update(p, g.astype(np.float32).astype(g.dtype), state, scalars)


class SharedScratch(Right):
    """Keeps its scratch arrays in the class."""

    scratch: ClassVar = {}

    def update(self, p, g, state, scalars):
        mine = self.scratch.setdefault((g.shape, g.dtype), np.empty_like(g))
        mine[...] = g
        time.sleep(1e-5)  # as long as a larger parameter would take
        super().update(p, mine, state, scalars)


class RuleOfAnother(Adam):
    """Has eps within the root, and names the rule of Adam, which has it outside."""

    rule = "adam"

    def update(self, p, g, state, scalars):
        weight_decay, one_minus_beta1, beta2, one_minus_beta2, size, correction, eps = scalars
        g = g + weight_decay * p
        m, v = state["exp_avg"], state["exp_avg_sq"]
        m[...] = flush(m + one_minus_beta1 * (g - m))
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
        p -= (size * m) / (np.sqrt(v + eps) * correction)
