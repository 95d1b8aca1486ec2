"""Pickles of optimizers of torch's parameters that 0.1.0 made before modules moved: they load, and go on."""

import pickle
from pathlib import Path

import pytest
import torch

from trainstation.interop.torch import AdamW, bridge, optimizer_class, optimizers
from trainstation.optimizers import Adam, RMSprop

HERE = Path(__file__).parents[2] / "former"
CLASSES = {
    "adamw": AdamW,
    "named_adam": optimizer_class(Adam, "adam"),
    "named_rmsprop_momentum": optimizer_class(RMSprop, "rmsprop"),
}


def loaded(name):
    return pickle.loads((HERE / f"torch_{name}.pkl").read_bytes())


@pytest.mark.parametrize("name", CLASSES)
def test_an_optimizer_goes_on_as_one_of_the_same_state(name):
    (tensor, optimizer), (twin, other) = loaded(name), loaded(name)
    assert type(optimizer) is CLASSES[name]
    assert optimizer.state[tensor]["step"] == 3
    fresh = CLASSES[name]([twin], **({"momentum": 0.5} if "momentum" in name else {}))
    fresh.load_state_dict(other.state_dict())
    for parameter, each in ((tensor, optimizer), (twin, fresh)):
        parameter.grad = torch.full((2, 3), 0.25)
        each.step()
    assert torch.equal(tensor, twin)


def test_new_pickles_name_the_module_of_the_classes():
    text = pickle.dumps(loaded("adamw"), protocol=4)
    assert b"trainstation.interop.torch.optimizers" in text
    assert b"trainstation.interop.torch.bridge" not in text
    assert type(bridge._remake(AdamW)) is type(optimizers.remake(AdamW)) is AdamW
