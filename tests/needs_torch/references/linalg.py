import torch

REFERENCES = {"matmul": torch.matmul}
