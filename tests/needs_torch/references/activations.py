import torch

F = torch.nn.functional
REFERENCES = {name: getattr(torch, name) for name in ["relu", "tanh", "sigmoid", "erf"]}
REFERENCES |= {name: getattr(F, name) for name in ["leaky_relu", "gelu", "silu", "softplus"]}
