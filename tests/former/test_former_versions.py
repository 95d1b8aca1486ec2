"""Pickles and a checkpoint that 0.1.0 made before modules moved: they load, and what they hold goes on.

Each optimizer had made three steps of a small network (the averaging one four).
"""

import importlib
import pickle
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

import trainstation as ts

HERE = Path(__file__).parent
NATIVE = ("adam", "adamw", "rmsprop", "sgd")


def loaded(name):
    return pickle.loads((HERE / f"{name}.pkl").read_bytes())


def step(optimizer, parameters):
    for parameter in parameters:
        parameter.grad = ts.Tensor.ones(parameter.shape)
    optimizer.step()


def test_a_tensor_and_its_gradient_setting():
    tensor = loaded("tensor")
    assert type(tensor) is ts.Tensor
    assert tensor.requires_grad
    assert np.array_equal(tensor.numpy(), ts.Tensor.randn([2, 3], seed=3).numpy())


def test_named_tuples():
    extreme, keys = loaded("named_tuples")
    expected = ts.Tensor.randn([2, 3], seed=3).max(dim=1)
    assert type(extreme) is type(expected)
    assert all(np.array_equal(one.numpy(), two.numpy()) for one, two in zip(extreme, expected, strict=True))
    assert type(keys) is type(ts.nn.Linear(2, 1).load_state_dict({}, strict=False))
    assert (keys.missing_keys, keys.unexpected_keys) == (["bias"], ["other"])


def test_functions_and_a_problem():
    cat, no_grad, decay, made, looked_up = loaded("functions")
    assert (cat, no_grad, decay) == (ts.cat, ts.no_grad, ts.param_groups_weight_decay)
    assert (made.func, looked_up) == (ts.create_optimizer, ts.get_optimizer)
    known = importlib.import_module("trainstation.bench.problems").BUILTIN
    assert loaded("problem").start == known["softmax_digits"].start


def test_methods_of_tensors():
    for method, name in zip(loaded("methods"), ("tanh", "sum", "__add__", "reshape", "float", "zeros"), strict=True):
        assert method == getattr(ts.Tensor, name)


def test_a_generator_goes_on_in_its_stream():
    fresh = ts.random.Generator(5)
    fresh.standard_normal(3)
    assert loaded("generator").standard_normal() == fresh.standard_normal()


def test_what_the_registry_knows():
    spec, info = loaded("spec"), loaded("info")
    assert spec == ts.OptimizerSpec("mine", "trainstation.optimizers.adam:Adam", defaults={"lr": 0.1})
    assert (type(info), info.name) == (ts.OptimizerInfo, "adam")
    assert isinstance(loaded("error"), ts.ShapeError)


@pytest.mark.parametrize("name", NATIVE)
def test_an_optimizer_goes_on_as_one_of_the_same_state(name):
    (model, optimizer, scheduler), (twin, other, _) = loaded(f"trained_{name}"), loaded(f"trained_{name}")
    assert type(optimizer) is ts.get_optimizer(name)
    assert {int(state["step"]) for state in optimizer.state.values()} == {3}
    assert optimizer.last_step == (None, False, optimizer.last_step.isa)
    assert scheduler.optimizer is optimizer
    options = {"adamw": {"state_dtype": "bfloat16"}, "sgd": {"momentum": 0.9}, "rmsprop": {"centered": True}}
    fresh = ts.create_optimizer(name, twin.parameters(), **options.get(name, {}))
    fresh.load_state_dict(other.state_dict())
    step(optimizer, model.parameters())
    step(fresh, twin.parameters())
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        assert np.array_equal(one.numpy(), two.numpy())
    scheduler.step()
    assert scheduler.last_epoch == 4


def test_an_average_of_an_optimizer_averages_on():
    model, optimizer, average = loaded("averaging")
    assert optimizer.last_step.grad_norm > 1
    assert optimizer.weight_average is average
    assert average.n_averaged == 1
    step(optimizer, model.parameters())
    assert average.n_averaged == 2
    _, ema = loaded("ema")
    ema.update()
    assert ema.n_averaged == 2


def test_a_checkpoint():
    model, optimizer, average = loaded("averaging")
    wanted = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    for parameter in model.parameters():
        parameter.data[...] = 0
    optimizer.clear_states()
    extra = ts.load(HERE / "checkpoint.safetensors", model=model, optimizer=optimizer, average=average)
    assert extra["epoch"] == 3
    assert all(np.array_equal(model.state_dict()[name].numpy(), value) for name, value in wanted.items())
    assert {int(state["step"]) for state in optimizer.state.values()} == {4}
    step(optimizer, model.parameters())


def test_metadata_that_name_the_former_module_of_the_built_ins():
    point = EntryPoint(name="builtin", value="trainstation.builtin", group="trainstation")
    builtin = importlib.import_module("trainstation.registry.builtin")
    assert point.load().trainstation_optimizers is builtin.trainstation_optimizers
    assert [spec.name for spec in point.load().trainstation_optimizers()] == ["adam", "adamw", "sgd", "rmsprop"]


def test_modules_that_plugins_import():
    for path in (
        "trainstation.optimizers.elementwise:flush",
        "trainstation.optimizers.groups:require",
        "trainstation.kernels:power",
        "trainstation.testing:check_optimizer",
        "trainstation.bench.problems:Problem",
    ):
        module, _, name = path.partition(":")
        assert hasattr(importlib.import_module(module), name), path
