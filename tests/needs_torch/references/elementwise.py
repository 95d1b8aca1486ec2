import torch


def remainder(x, y):
    """torch.remainder, which has no gradient with respect to y."""
    return x - y * torch.div(x, y, rounding_mode="floor")


SAME = ["add", "mul", "div", "pow", "neg", "maximum", "minimum", "clip", "where", "masked_fill"]
REFERENCES = {name: getattr(torch, name) for name in SAME} | {
    "sub": lambda x, y: torch.sub(x, 1 if y is True else y),
    "remainder": remainder,
}
