import torch


def cross_entropy(logits, targets):
    return torch.nn.functional.cross_entropy(logits, targets.long())


REFERENCES = {"log_softmax": torch.log_softmax, "cross_entropy": cross_entropy}
