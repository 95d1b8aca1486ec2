"""Where torch's layers and losses raise, ours raise."""

import numpy as np
import pytest
import torch

import trainstation as ts

TORCHS = (RuntimeError, TypeError, ValueError, IndexError, KeyError, NotImplementedError, AssertionError)
OURS = (
    ts.TrainStationError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    NotImplementedError,
)  # what is said on purpose


def module_errors(lib):
    nn, f, t = lib.nn, lib.nn.functional, lib.tensor
    ones = t(np.ones((2, 3), np.float32))
    return {
        "linear of other shapes": lambda: nn.Linear(2, 3)(t([[1.0]])),
        "linear of another dtype": lambda: nn.Linear(1, 3)(t([[1]])),
        "forward that nobody wrote": lambda: nn.Module()(1),
        "no module in Sequential": lambda: nn.Sequential(nn.ReLU(), 1),
        "no module in ModuleList": lambda: nn.ModuleList([1]),
        "conv groups": lambda: nn.Conv2d(3, 4, 1, groups=2),
        "conv same with stride": lambda: nn.Conv2d(1, 1, 3, stride=2, padding="same"),
        "conv padding": lambda: nn.Conv2d(1, 1, 3, padding="full"),
        "conv padding mode": lambda: nn.Conv1d(1, 1, 3, padding_mode="none"),
        "conv channels": lambda: nn.Conv1d(2, 1, 1)(t(np.ones((1, 3, 4), np.float32))),
        "conv too short": lambda: nn.Conv1d(1, 1, 5)(t(np.ones((1, 1, 4), np.float32))),
        "padding_idx": lambda: nn.Embedding(3, 2, padding_idx=3),
        "an index out of range": lambda: nn.Embedding(3, 2)(t([3])),
        "a floating-point index": lambda: nn.Embedding(3, 2)(t([1.0])),
        "layer norm": lambda: nn.LayerNorm(4)(ones),
        "rms norm": lambda: nn.RMSNorm(4)(ones),
        "batch norm of one value": lambda: nn.BatchNorm1d(3)(t([[1.0, 2.0, 3.0]])),
        "batch norm 1d of images": lambda: nn.BatchNorm1d(1)(t(np.ones((2, 1, 2, 2), np.float32))),
        "batch norm 2d of rows": lambda: nn.BatchNorm2d(3)(ones),
        "batch norm channels": lambda: nn.BatchNorm1d(4)(ones),
        "dropout": lambda: nn.Dropout(1.5),
        "dropout function": lambda: f.dropout(ones, -0.1),
        "heads": lambda: nn.MultiheadAttention(6, 4),
        "attention width": lambda: nn.MultiheadAttention(4, 2)(ones, ones, ones),
        "attention mask": lambda: nn.MultiheadAttention(3, 1)(
            ones, ones, ones, attn_mask=t(np.zeros((3, 3), np.float32))
        ),
        "mask and causal": lambda: f.scaled_dot_product_attention(ones, ones, ones, ones > 0, is_causal=True),
        "reduction": lambda: nn.MSELoss(reduction="all")(ones, ones),
        "cross entropy reduction": lambda: f.cross_entropy(ones, t([0, 1]), reduction="all"),
        "nll reduction": lambda: f.nll_loss(ones, t([0, 1]), reduction="all"),
        "targets of another length": lambda: f.cross_entropy(ones, t([0])),
        "a class that is not there": lambda: f.cross_entropy(ones, t([0, 3])),
        "a negative class": lambda: f.nll_loss(ones, t([0, -1])),
        "smoothing": lambda: f.cross_entropy(ones, t([0, 1]), label_smoothing=1.5),
        "weights of other classes": lambda: f.cross_entropy(ones, t([0, 1]), weight=t([1.0, 2.0])),
        "probabilities of another shape": lambda: f.cross_entropy(ones, t([1.0, 2.0])),
        "binary target shape": lambda: f.binary_cross_entropy_with_logits(ones, t([1.0])),
        "delta": lambda: f.huber_loss(ones, ones, delta=0.0),
        "beta": lambda: f.smooth_l1_loss(ones, ones, beta=-1.0),
        "one_hot negative": lambda: f.one_hot(t([-1])),
        "one_hot too large": lambda: f.one_hot(t([3]), 3),
        "fans of a vector": lambda: nn.init.kaiming_normal_(t([1.0])),
        "gain": lambda: nn.init.calculate_gain("selfish"),
        "mode": lambda: nn.init.kaiming_uniform_(ones, mode="fan"),
        "orthogonal vector": lambda: nn.init.orthogonal_(t([1.0])),
        "eye vector": lambda: nn.init.eye_(t([1.0])),
        "missing key": lambda: nn.Linear(1, 1).load_state_dict({}),
        "unexpected key": lambda: nn.ReLU().load_state_dict({"weight": ones}),
        "another shape, not strict": lambda: nn.Linear(1, 1).load_state_dict({"weight": ones}, strict=False),
        "a dot in a name": lambda: nn.Module().add_module("a.b", nn.ReLU()),
        "to integers": lambda: nn.Linear(1, 1).to(np.int64 if lib is ts else torch.int64),
    }


@pytest.mark.parametrize("name", module_errors(ts))
@pytest.mark.parametrize("library", [torch, ts], ids=["torch", "trainstation"])
def test_errors(library, name):
    use = module_errors(library)[name]
    with pytest.raises(OURS if library is ts else TORCHS):
        use()
