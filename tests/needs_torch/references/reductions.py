import torch


def pick(x, index, dim, keepdim=False):
    found = torch.gather(x, dim, torch.as_tensor(index))
    return found if keepdim else found.squeeze(dim)


SAME = ["sum", "mean", "var", "std", "norm", "amax", "amin", "cumsum", "logsumexp", "prod"]
REFERENCES = {name: getattr(torch.Tensor, name) for name in SAME} | {
    "amax": lambda x, dim=(), keepdim=False: x.amax(dim, keepdim),
    "amin": lambda x, dim=(), keepdim=False: x.amin(dim, keepdim),
    "pick": pick,
}
