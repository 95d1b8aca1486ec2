import numpy as np
import torch


def as_index(index):
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(torch.as_tensor(part) if isinstance(part, np.ndarray) else part for part in parts)


def getitem(x, index):
    if isinstance(index, slice) and (index.step or 1) < 0:  # torch has no negative steps
        assert index == slice(None, None, index.step)
        return x.flip(0)[:: -index.step]
    return x[as_index(index)]


def setitem(x, value, index):
    written = x.clone()
    written[as_index(index)] = value
    return written


REFERENCES = {
    "getitem": getitem,
    "setitem": setitem,
    "embedding": lambda weight, indices: torch.nn.functional.embedding(indices, weight),
    "index_select": lambda x, index, dim: x.index_select(dim, index),
    "gather": lambda x, index, dim: x.gather(dim, index),
    "take_along_dim": lambda x, indices, dim=None: x.take_along_dim(indices, dim),
    "index_add": lambda x, index, source, dim, alpha=1: x.index_add(dim, index, source, alpha=alpha),
    "to": lambda x, dtype=None: x.clone() if dtype is None else x.to(getattr(torch, str(dtype))),
}
