import torch


def batch_norm(x, weight, bias, *, eps, statistics=None):
    mean, variance = (None, None) if statistics is None else map(torch.tensor, statistics)
    return torch.nn.functional.batch_norm(x, mean, variance, weight, bias, training=statistics is None, eps=eps)


REFERENCES = {"batch_norm": batch_norm}
