"""Optax's optimizers, compiled by JAX. JAX's arrays cannot share memory that is written: they are copies."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import trainstation as ts
from trainstation_peers.peer import AdamPeer, AdamWPeer, Peer, RMSpropPeer, SGDPeer, gradient

__all__ = ["SGD", "Adam", "AdamW", "OptaxPeer", "RMSprop"]


class OptaxPeer(Peer):
    """An optax transformation: all groups in one compiled call, whose buffers are donated, so that it is in place."""

    package = "optax"
    own_threads = True

    @abstractmethod
    def transformation(self, hyper: Mapping[str, Any]) -> Any:
        """Return the optax transformation of one group."""

    def begin(self) -> None:
        """Make the first states; the call is compiled for hyper-parameters, anew when they change."""
        arrays = self._copies(lambda parameter: parameter.data)
        self._compiled_for: list[dict[str, Any]] = []
        self._states = [self.transformation(g).init(a) for g, a in zip(self.param_groups, arrays, strict=True)]

    def _copies(self, of: Callable[[Any], Any]) -> list[list[Any]]:
        """Return an array of each parameter, by groups, as a copy of JAX's own; float32 is all that it has as it is."""
        import jax

        copies = []
        with jax.default_device(jax.devices("cpu")[0]):
            for group in self.param_groups:
                arrays = [of(parameter) for parameter in group["params"]]
                if any(array is None for array in arrays):
                    msg = "an optax transformation steps all parameters at once, and one has no gradient"
                    raise ts.MissingGradientError(msg)
                if any(array.dtype != np.float32 for array in arrays):
                    msg = "optax is compared in float32 only"
                    raise TypeError(msg)
                copies.append([jax.numpy.array(array, copy=True) for array in arrays])
        return copies

    def _compile(self, settings: list[dict[str, Any]]) -> None:
        import jax
        import optax

        transformations = list(map(self.transformation, settings))

        def step(parameters: Any, gradients: Any, states: Any) -> Any:
            results = []
            for transformation, p, g, state in zip(transformations, parameters, gradients, states, strict=True):
                updates, new_state = transformation.update(g, state, p)
                results.append((optax.apply_updates(p, updates), new_state))
            return [p for p, _ in results], [state for _, state in results]

        self._compiled, self._compiled_for = jax.jit(step, donate_argnums=(0, 2)), settings

    def bind(self) -> Callable[[], object]:
        """Copy parameters and gradients, and return the compiled call, which waits for its results."""
        import jax

        settings = list(map(self.settings, self.param_groups))
        if settings != self._compiled_for:
            self._compile(settings)
        self._parameters = self._copies(lambda parameter: parameter.data)
        gradients, compiled, wait = self._copies(gradient), self._compiled, jax.block_until_ready

        def step() -> None:
            self._parameters, self._states = compiled(self._parameters, gradients, self._states)
            wait(self._parameters)

        return step

    def finish(self) -> None:
        """Copy the values back."""
        for group, arrays in zip(self.param_groups, self._parameters, strict=True):
            for parameter, array in zip(group["params"], arrays, strict=True):
                parameter.data[...] = array
        self._parameters = []


class Adam(OptaxPeer, AdamPeer):
    """optax.adam, behind optax.add_decayed_weights if there is a penalty."""

    def transformation(self, hyper: Mapping[str, Any]) -> Any:
        """Return the transformation."""
        import optax

        beta1, beta2 = hyper["betas"]
        adam = optax.adam(hyper["lr"], beta1, beta2, hyper["eps"])
        return _with_penalty(hyper, adam)


class AdamW(OptaxPeer, AdamWPeer):
    """optax.adamw."""

    def transformation(self, hyper: Mapping[str, Any]) -> Any:
        """Return the transformation."""
        import optax

        beta1, beta2 = hyper["betas"]
        return optax.adamw(hyper["lr"], beta1, beta2, hyper["eps"], weight_decay=hyper["weight_decay"])


class SGD(OptaxPeer, SGDPeer):
    """optax.sgd, behind optax.add_decayed_weights if there is a penalty."""

    def transformation(self, hyper: Mapping[str, Any]) -> Any:
        """Return the transformation."""
        import optax

        return _with_penalty(hyper, optax.sgd(hyper["lr"], hyper["momentum"] or None))


class RMSprop(OptaxPeer, RMSpropPeer):
    """optax.rmsprop with eps outside of the root, behind optax.add_decayed_weights if there is a penalty."""

    def transformation(self, hyper: Mapping[str, Any]) -> Any:
        """Return the transformation."""
        import optax

        return _with_penalty(hyper, optax.rmsprop(hyper["lr"], hyper["alpha"], hyper["eps"], eps_in_sqrt=False))


def _with_penalty(hyper: Mapping[str, Any], transformation: Any) -> Any:
    import optax

    if not hyper["weight_decay"]:
        return transformation
    return optax.chain(optax.add_decayed_weights(hyper["weight_decay"]), transformation)
