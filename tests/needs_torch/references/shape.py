import torch

REFERENCES = {name: getattr(torch.Tensor, name) for name in ["reshape", "permute", "contiguous", "flip"]} | {
    "expand": lambda x, shape: x.expand(shape),
    "repeat": lambda x, repeats: x.repeat(repeats),
    "cat": lambda *tensors, dim=0: torch.cat(tensors, dim),
    "stack": lambda *tensors, dim=0: torch.stack(tensors, dim),
}
