import pickle

import numpy as np
import pytest

import trainstation as ts
from trainstation import nn


class Block(nn.Module):
    def __init__(self):
        self.attention, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)


class Model(nn.Module):
    def __init__(self):
        self.embedding = nn.Embedding(7, 4)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(4, 2)


def names(groups):
    return {group["name"]: [name for name, _ in group["params"]] for group in groups}


def test_what_has_one_dimension_or_is_named_does_not_decay():
    groups = ts.param_groups_weight_decay(Model(), 0.1, ["embedding.*"])
    assert names(groups) == {
        "no_decay": [
            "embedding.weight",
            *(f"blocks.{i}.{name}" for i in (0, 1) for name in ("attention.bias", "norm.weight", "norm.bias")),
            "head.bias",
        ],
        "decay": ["blocks.0.attention.weight", "blocks.1.attention.weight", "head.weight"],
    }
    assert [group["weight_decay"] for group in groups] == [0.0, 0.1]


def test_a_bias_does_not_decay_whatever_its_shape():
    bias = ts.Tensor.ones((2, 3), requires_grad=True)
    assert names(ts.param_groups_weight_decay([("layer.bias", bias)])) == {"no_decay": ["layer.bias"]}


def test_frozen_parameters_are_left_out_and_shared_ones_appear_once():
    model = Model()
    model.head.weight.requires_grad_(False)
    pairs = [*model.named_parameters(), ("again", model.blocks[0].attention.weight)]
    found = names(ts.param_groups_weight_decay(pairs, 0.1))
    assert found["decay"] == ["embedding.weight", "blocks.0.attention.weight", "blocks.1.attention.weight"]


def test_rates_fall_from_the_last_layer_to_the_first():
    groups = ts.param_groups_layer_decay(Model(), 0.1, layer_decay=0.5)
    assert [(group["name"], group["lr_scale"], group["weight_decay"]) for group in groups] == [
        ("layer_0_decay", 0.125, 0.1),
        ("layer_1_no_decay", 0.25, 0.0),
        ("layer_1_decay", 0.25, 0.1),
        ("layer_2_no_decay", 0.5, 0.0),
        ("layer_2_decay", 0.5, 0.1),
        ("layer_3_no_decay", 1.0, 0.0),
        ("layer_3_decay", 1.0, 0.1),
    ]
    first = ["blocks.0.attention.bias", "blocks.0.norm.weight", "blocks.0.norm.bias"]
    assert names(groups)["layer_1_no_decay"] == first


def test_layers_and_the_least_scale_may_be_said():
    groups = ts.param_groups_layer_decay(
        Model(), layer_decay=0.1, min_scale=0.2, layer_of=lambda name: name.startswith("head")
    )
    assert {group["lr_scale"] for group in groups} == {0.2, 1.0}
    assert names(groups)["layer_1_decay"] == ["head.weight"]


def test_a_step_takes_the_groups_rates():
    """SGD's step is the rate, where the gradient is one."""
    model = Model()
    optimizer = ts.optimizers.SGD(ts.param_groups_layer_decay(model, 0.0, layer_decay=0.5), lr=1.0)
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = np.ones(parameter.shape, np.float32)
    optimizer.step()
    moved = {name: before[name] - p.numpy() for name, p in model.named_parameters()}
    for name, expected in [("embedding.weight", 0.125), ("blocks.1.norm.bias", 0.5), ("head.weight", 1.0)]:
        np.testing.assert_allclose(moved[name], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: ts.param_groups_weight_decay(Model().parameters()), TypeError, "named_parameters.*not Parameter"),
        (lambda: ts.param_groups_weight_decay([]), ValueError, "no parameter that requires a gradient"),
        (lambda: ts.param_groups_weight_decay(nn.ReLU()), ValueError, "no parameter that requires a gradient"),
        (lambda: ts.param_groups_layer_decay(Model(), layer_decay=0), ValueError, "Invalid layer_decay value: 0"),
    ],
)
def test_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


# Optimizers and groups


def test_a_module_is_its_named_parameters():
    model = Model()
    for optimizer in (
        ts.optimizers.Adam(model),
        ts.create_optimizer("adam", model),
        ts.optimizers.Adam([{"params": model}]),
    ):
        (group,) = optimizer.param_groups
        assert group["param_names"] == [name for name, _ in model.named_parameters()]
        assert all(a is b for a, b in zip(group["params"], model.parameters(), strict=True))


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ValueError, match="ReLU has no parameters"):
        ts.optimizers.Adam(nn.ReLU())


def test_a_parameter_that_is_linked_twice_is_named():
    model = nn.Linear(2, 2)
    optimizer = ts.optimizers.Adam(model)
    with pytest.raises(ValueError, match=r"more than one parameter group.*'again' of group 1 \(shape \(2, 2\)"):
        optimizer.add_param_group({"params": [("again", model.weight)]})
    with pytest.raises(ValueError, match="twice in one: parameter 1 of group 0"):
        ts.optimizers.Adam([model.weight, model.weight])
    assert len(optimizer.param_groups) == 1


def test_groups_come_later_and_are_known_by_name():
    first, late = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizer = ts.optimizers.Adam([{"params": first, "name": "first"}], lr=0.1)
    for model in (first, late):
        for parameter in model.parameters():
            parameter.grad = np.ones(parameter.shape, np.float32)
    optimizer.step()
    optimizer.add_param_group({"params": late, "name": "late", "lr": 0.2})
    optimizer.step()
    assert [int(optimizer.state[model.weight]["step"]) for model in (first, late)] == [2, 1]
    optimizer.set_learning_rate(0.5, "late")
    assert (optimizer.learning_rate("first"), optimizer.learning_rate("late")) == (0.1, 0.5)
    other = pickle.loads(pickle.dumps(optimizer))
    assert (other.learning_rate("first"), other.learning_rate("late")) == (0.1, 0.5)
    assert other.param_groups[1]["param_names"] == ["weight", "bias"]
