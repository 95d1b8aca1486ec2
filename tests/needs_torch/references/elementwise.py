import torch

SAME = ["add", "mul", "div", "pow", "neg"]
REFERENCES = {name: getattr(torch, name) for name in SAME} | {"sub": lambda x, y: torch.sub(x, 1 if y is True else y)}
