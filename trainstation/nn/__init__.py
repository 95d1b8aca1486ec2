"""Neural networks: `Module`, layers, losses, and the functions behind them."""

from trainstation.nn import functional, init
from trainstation.nn.layers import CrossEntropyLoss, Linear, ReLU, Sequential, Sigmoid, Tanh
from trainstation.nn.module import Module, Parameter

__all__ = [
    "CrossEntropyLoss",
    "Linear",
    "Module",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "functional",
    "init",
]
