import numpy as np
import torch


def getitem(x, index):
    parts = index if isinstance(index, tuple) else (index,)
    found = x
    for part in parts:
        if isinstance(part, slice) and (part.step or 1) < 0:  # torch has no negative steps
            assert len(parts) == 1
            return x.flip(0)[slice(None, None, -part.step)] if part == slice(None, None, part.step) else None
    return found[tuple(torch.as_tensor(part) if isinstance(part, np.ndarray | list) else part for part in parts)]


REFERENCES = {"getitem": getitem}
