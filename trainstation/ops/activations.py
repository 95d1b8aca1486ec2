"""Functions of one element that networks put between their layers, in one pass each."""

from __future__ import annotations

import numpy as np

from trainstation.gradtrack import VJP
from trainstation.kernels import MAPS, map_elements
from trainstation.ops.operation import FLOATS, OUTPUT, Array, Needs, of_floats, operation

_RELU, _RELU_GRAD = MAPS["relu"], MAPS["relu_grad"]
_LEAKY_RELU, _LEAKY_RELU_GRAD = MAPS["leaky_relu"], MAPS["leaky_relu_grad"]
_TANH_GRAD = MAPS["tanh_grad"]
_SIGMOID, _SIGMOID_GRAD = MAPS["sigmoid"], MAPS["sigmoid_grad"]
_ERF, _ERF_GRAD = MAPS["erf_of"], MAPS["erf_grad"]
_SILU, _SILU_GRAD = MAPS["silu"], MAPS["silu_grad"]
_SOFTPLUS, _SOFTPLUS_GRAD = MAPS["softplus"], MAPS["softplus_grad"]
_GELU = {
    "none": (MAPS["gelu"], MAPS["gelu_grad"]),
    "tanh": (MAPS["gelu_tanh"], MAPS["gelu_tanh_grad"]),
}


@operation((OUTPUT,))
def relu(needs: Needs, x: Array) -> tuple[Array, VJP]:
    if x.dtype not in FLOATS:
        value = np.maximum(x, 0)
        return value, lambda g, out: (g * (value > 0),)
    value = map_elements(_RELU, x)
    return value, lambda g, out: (map_elements(_RELU_GRAD, value, g),)


@operation((0,))
@of_floats(takes_integers=True)
def leaky_relu(needs: Needs, x: Array, *, negative_slope: float = 0.01) -> tuple[Array, VJP]:
    value = map_elements(_LEAKY_RELU, x, h=negative_slope)
    return value, lambda g, out: (map_elements(_LEAKY_RELU_GRAD, x, g, negative_slope),)


@operation((OUTPUT,))
@of_floats(takes_integers=True)
def tanh(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = np.tanh(x)
    return value, lambda g, out: (map_elements(_TANH_GRAD, value, g),)


@operation((OUTPUT,))
@of_floats(takes_integers=True)
def sigmoid(needs: Needs, x: Array) -> tuple[Array, VJP]:
    value = map_elements(_SIGMOID, x)
    return value, lambda g, out: (map_elements(_SIGMOID_GRAD, value, g),)


@operation((0,))
@of_floats(takes_integers=True)
def erf(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return map_elements(_ERF, x), lambda g, out: (map_elements(_ERF_GRAD, x, g),)


@operation((0,))
@of_floats(takes_integers=True)
def gelu(needs: Needs, x: Array, *, approximate: str = "none") -> tuple[Array, VJP]:
    """x Phi(x), Phi the normal distribution; `approximate="tanh"` takes the tanh formula (Hendrycks & Gimpel, 2016)."""
    if approximate not in _GELU:
        msg = f"approximate is 'none' or 'tanh', not {approximate!r}"
        raise ValueError(msg)
    function, gradient = _GELU[approximate]
    return map_elements(function, x), lambda g, out: (map_elements(gradient, x, g),)


@operation((0,))
@of_floats(takes_integers=True)
def silu(needs: Needs, x: Array) -> tuple[Array, VJP]:
    return map_elements(_SILU, x), lambda g, out: (map_elements(_SILU_GRAD, x, g),)


@operation((0,))
@of_floats(takes_integers=True)
def softplus(needs: Needs, x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> tuple[Array, VJP]:
    """log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold."""
    scaled = x if beta == 1 else x * x.dtype.type(beta)
    value = map_elements(_SOFTPLUS, scaled)
    value = np.where(scaled > threshold, x, value if beta == 1 else value / x.dtype.type(beta))
    return value, lambda g, out: (np.where(scaled > threshold, g, map_elements(_SOFTPLUS_GRAD, scaled, g)),)
