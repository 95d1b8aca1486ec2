import torch

linear = torch.nn.functional.linear
REFERENCES = {"linear": linear, "linear_relu": lambda x, weight, bias: linear(x, weight, bias).relu()}
