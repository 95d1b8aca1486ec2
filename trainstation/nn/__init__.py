"""Neural networks: `Module`, layers, losses, and the functions behind them."""

from trainstation.nn import functional, init
from trainstation.nn.activation import GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from trainstation.nn.attention import MultiHeadAttention, MultiheadAttention
from trainstation.nn.containers import ModuleList, Sequential
from trainstation.nn.convolution import AvgPool2d, Conv1d, Conv2d, MaxPool2d
from trainstation.nn.linear import Dropout, Embedding, Flatten, Identity, Linear
from trainstation.nn.loss import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    PoissonNLLLoss,
    SmoothL1Loss,
)
from trainstation.nn.module import Module, Parameter
from trainstation.nn.norm import BatchNorm1d, BatchNorm2d, LayerNorm, RMSNorm

__all__ = [
    "GELU",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "HuberLoss",
    "Identity",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "MultiHeadAttention",
    "MultiheadAttention",
    "NLLLoss",
    "Parameter",
    "PoissonNLLLoss",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softplus",
    "Tanh",
    "functional",
    "init",
]
