import torch

REFERENCES = {name: getattr(torch, name) for name in ["reshape", "permute"]}
