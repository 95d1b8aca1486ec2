"""The four rules in plain NumPy: as one writes them, and without temporaries. What a user has who installs nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainstation_peers.peer import AdamPeer, AdamWPeer, Peer, RMSpropPeer, SGDPeer, gradient

__all__ = [
    "SGD",
    "Adam",
    "AdamInplace",
    "AdamW",
    "AdamWInplace",
    "NumpyPeer",
    "RMSprop",
    "RMSpropInplace",
    "SGDInplace",
]

Array = NDArray[Any]


class NumpyPeer(Peer):
    """A function of NumPy, called for each parameter.

    Attributes:
        arrays: names of the zero-initialised arrays of a parameter's shape.
        scratch: how many arrays are made once, as large as the largest parameter, for intermediate results.

    """

    package = "numpy"
    arrays: ClassVar[tuple[str, ...]]
    scratch: ClassVar[int] = 0

    @abstractmethod
    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter; the state has its arrays, the number "t" of this step, and its "scratch"."""

    def begin(self) -> None:
        """Make the states."""
        data = [parameter.data for group in self.param_groups for parameter in group["params"]]
        flat = [np.empty(max(a.size for a in data), np.result_type(*data)) for _ in range(self.scratch)]
        self._states = {
            id(array): {
                **{name: np.zeros_like(array) for name in self.arrays},
                "t": 0,
                "scratch": [each[: array.size].reshape(array.shape) for each in flat],
            }
            for array in data
        }

    def bind(self) -> Callable[[], object]:
        """Return a loop over the parameters."""
        work = []
        for group in self.param_groups:
            settings = self.settings(group)
            for parameter in group["params"]:
                array = gradient(parameter)
                if array is not None:
                    work.append((parameter.data, array, self._states[id(parameter.data)], settings))

        def step() -> None:
            for p, g, state, hyper in work:
                state["t"] += 1
                self.move(p, g, state, hyper)

        return step


class Adam(NumpyPeer, AdamPeer):
    """Adam as one writes it: every operation makes an array."""

    arrays = ("m", "v")

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        if hyper["weight_decay"]:
            g = g + hyper["weight_decay"] * p
        self.follow(p, g, state, hyper)

    @staticmethod
    def follow(p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Update the moments, and move along them."""
        (beta1, beta2), t = hyper["betas"], state["t"]
        state["m"] = beta1 * state["m"] + (1 - beta1) * g
        state["v"] = beta2 * state["v"] + (1 - beta2) * g**2
        m_hat = state["m"] / (1 - beta1**t)
        v_hat = state["v"] / (1 - beta2**t)
        p -= hyper["lr"] * m_hat / (np.sqrt(v_hat) + hyper["eps"])


class AdamW(NumpyPeer, AdamWPeer):
    """AdamW as one writes it."""

    arrays = Adam.arrays

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        if hyper["weight_decay"]:
            p *= 1 - hyper["lr"] * hyper["weight_decay"]
        Adam.follow(p, g, state, hyper)


class AdamInplace(NumpyPeer, AdamPeer):
    """Adam without temporaries: every operation writes into an array that is there."""

    arrays = Adam.arrays
    scratch = 2

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        if hyper["weight_decay"]:
            penalised = state["scratch"][1]
            np.multiply(p, hyper["weight_decay"], out=penalised)
            penalised += g
            g = penalised
        self.follow(p, g, state, hyper)

    @staticmethod
    def follow(p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Update the moments, and move along them."""
        (beta1, beta2), t = hyper["betas"], state["t"]
        m, v, scratch = state["m"], state["v"], state["scratch"][0]
        m *= beta1
        np.multiply(g, 1 - beta1, out=scratch)
        m += scratch
        v *= beta2
        np.multiply(g, g, out=scratch)
        scratch *= 1 - beta2
        v += scratch
        np.sqrt(v, out=scratch)
        scratch *= 1 / (1 - beta2**t) ** 0.5
        scratch += hyper["eps"]
        np.divide(m, scratch, out=scratch)
        scratch *= hyper["lr"] / (1 - beta1**t)
        p -= scratch


class AdamWInplace(NumpyPeer, AdamWPeer):
    """AdamW without temporaries."""

    arrays = Adam.arrays
    scratch = 1

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        if hyper["weight_decay"]:
            p *= 1 - hyper["lr"] * hyper["weight_decay"]
        AdamInplace.follow(p, g, state, hyper)


class SGD(NumpyPeer, SGDPeer):
    """SGD as one writes it."""

    arrays = ("buffer",)

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        if hyper["weight_decay"]:
            g = g + hyper["weight_decay"] * p
        if hyper["momentum"]:
            g = state["buffer"] = hyper["momentum"] * state["buffer"] + g
        p -= hyper["lr"] * g


class SGDInplace(NumpyPeer, SGDPeer):
    """SGD without temporaries."""

    arrays = SGD.arrays
    scratch = 1

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        scratch = state["scratch"][0]
        if hyper["weight_decay"]:
            np.multiply(p, hyper["weight_decay"], out=scratch)
            scratch += g
            g = scratch
        if hyper["momentum"]:
            buffer = state["buffer"]
            buffer *= hyper["momentum"]
            buffer += g
            g = buffer
        np.multiply(g, hyper["lr"], out=scratch)
        p -= scratch


class RMSprop(NumpyPeer, RMSpropPeer):
    """RMSprop as one writes it."""

    arrays = ("v",)

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        if hyper["weight_decay"]:
            g = g + hyper["weight_decay"] * p
        state["v"] = hyper["alpha"] * state["v"] + (1 - hyper["alpha"]) * g**2
        p -= hyper["lr"] * g / (np.sqrt(state["v"]) + hyper["eps"])


class RMSpropInplace(NumpyPeer, RMSpropPeer):
    """RMSprop without temporaries."""

    arrays = RMSprop.arrays
    scratch = 2

    def move(self, p: Array, g: Array, state: dict[str, Any], hyper: Mapping[str, Any]) -> None:
        """Step one parameter."""
        v, (scratch, penalised) = state["v"], state["scratch"]
        if hyper["weight_decay"]:
            np.multiply(p, hyper["weight_decay"], out=penalised)
            penalised += g
            g = penalised
        v *= hyper["alpha"]
        np.multiply(g, g, out=scratch)
        scratch *= 1 - hyper["alpha"]
        v += scratch
        np.sqrt(v, out=scratch)
        scratch += hyper["eps"]
        np.divide(g, scratch, out=scratch)
        scratch *= hyper["lr"]
        p -= scratch
