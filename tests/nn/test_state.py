import copy
import pickle

import numpy as np
import pytest

import trainstation as ts
from trainstation import nn


class Counter(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("seen", ts.tensor(0))
        self.register_buffer("scratch", ts.tensor([1.0]), persistent=False)
        self.register_parameter("nothing", None)


NAMES = ["seen", "layer.weight", "layer.bias", "norm.weight", "norm.bias"]
NORM = ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"]


def test_names_of_the_state_are_in_order_parameters_before_buffers():
    model = Counter()
    assert list(model.state_dict()) == NAMES + NORM
    assert [name for name, _ in model.named_buffers()] == ["seen", "scratch", *NORM]
    assert [name for name, _ in model.named_modules()] == ["", "layer", "norm"]
    assert list(model.modules()) == [model, model.layer, model.norm]
    assert list(model.layer.state_dict("net")) == ["net.weight", "net.bias"]
    assert model.get_parameter("layer.bias") is model.layer.bias
    with pytest.raises(AttributeError, match=r"layer\.none"):
        model.get_parameter("layer.none")


def test_the_state_shares_memory_and_wants_no_gradient():
    model = Counter()
    state = model.state_dict()
    assert np.shares_memory(state["layer.weight"].numpy(), model.layer.weight.numpy())
    assert not state["layer.weight"].requires_grad


@pytest.mark.parametrize("make", [lambda state: state, lambda state: {k: v.numpy() for k, v in state.items()}])
def test_what_was_saved_is_loaded_in_place(make):
    ours, theirs = Counter(), Counter()
    theirs.norm(theirs.layer(ts.Tensor.ones((4, 2))))
    array = ours.layer.weight.data
    assert ours.load_state_dict(make(theirs.state_dict())) == ([], [])
    assert ours.layer.weight.data is array
    for name, value in theirs.state_dict().items():
        assert np.array_equal(ours.state_dict()[name].numpy(), value.numpy())


def test_a_shared_parameter_is_saved_under_all_its_names():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    model[1].weight = model[0].weight
    assert list(model.state_dict()) == ["0.weight", "1.weight"]
    assert len(list(model.named_parameters(remove_duplicate=False))) == 2


def test_everything_wrong_is_in_one_error_and_nothing_changes():
    model = Counter()
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()}
    del state["layer.bias"]
    state |= {"layer.weight": np.ones((3, 3)), "seen": np.float64(1.5), "more": np.ones(1)}
    with pytest.raises(ts.ShapeError) as error:
        model.load_state_dict(state)
    for part in (
        "Counter",
        "layer.weight has shape (3, 3), not (3, 2)",
        "seen has dtype float64, not int64",
        "layer.bias is missing",
        "more is unexpected",
    ):
        assert part in str(error.value)
    assert all(np.array_equal(before[name], value.numpy()) for name, value in model.state_dict().items())


def test_not_strict_passes_over_names_but_not_over_shapes():
    layer = nn.Linear(2, 1)
    keys = layer.load_state_dict({"bias": np.array([7.0]), "more": np.ones(1)}, strict=False)
    assert keys == (["weight"], ["more"])
    assert keys.missing_keys == ["weight"]
    assert layer.bias.item() == 7
    with pytest.raises(ValueError, match="weight is missing") as error:
        layer.load_state_dict({"bias": np.array([7.0])})
    assert not isinstance(error.value, ts.ShapeError)


def test_loading_counts_as_a_change():
    layer = nn.Linear(2, 2)
    x = ts.Tensor.ones((1, 2), requires_grad=True)
    result = layer(x).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(ts.GraphError, match="modified in place"):
        result.backward()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_is_a_model_of_its_own(duplicate):
    model = nn.Sequential(Counter(), nn.ReLU()).eval()
    other = duplicate(model)
    assert repr(other) == repr(model)
    assert not other[0].training
    assert list(other.state_dict()) == list(model.state_dict())
    other[0].norm.running_mean.data += 1
    other[0].layer.weight.data += 1
    other.append(nn.Tanh())
    assert len(model) == 2
    assert not model[0].norm.running_mean.numpy().any()
    assert not np.array_equal(model[0].layer.weight.numpy(), other[0].layer.weight.numpy())
    assert isinstance(other[0].layer.weight, nn.Parameter)
    assert other[0].layer.weight.requires_grad


def test_dtypes_are_converted_in_place():
    model = Counter()
    weight = model.layer.weight
    model.norm(model.layer(ts.Tensor.ones((4, 2)))).sum().backward()
    assert model.double() is model
    assert model.layer.weight is weight
    assert weight.dtype == weight.grad.dtype == model.norm.running_var.dtype == np.float64
    assert model.seen.dtype == model.norm.num_batches_tracked.dtype == np.int64
    assert weight.requires_grad
    model.norm(model.layer(ts.Tensor.ones((4, 2), dtype=np.float64))).sum().backward()
    assert model.float().layer.weight.dtype == np.float32
    assert model.to("float64").layer.weight.dtype == np.float64


def test_gradients_go_and_are_not_wanted():
    layer = nn.Linear(2, 1)
    layer(ts.Tensor.ones((1, 2))).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.numpy().tolist() == [[0, 0]]
    layer.zero_grad()
    assert layer.weight.grad is None
    assert layer.requires_grad_(False) is layer
    assert not layer(ts.Tensor.ones((1, 2))).requires_grad


def test_apply_goes_from_the_leaves_to_the_root():
    model, seen = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Tanh()), []
    assert model.apply(seen.append) is model
    assert seen == [model[0][0], model[0], model[1], model]


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("layer", ts.tensor([1.0]), "child module"),
        ("layer", 3, "child module"),
        ("seen", 3, "buffer"),
        ("seen", nn.ReLU, "buffer"),
        ("nothing", ts.tensor([1.0]), "parameter"),
    ],
)
def test_a_name_keeps_its_kind(name, value, what):
    model = Counter()
    with pytest.raises(TypeError, match=f"as {what} '{name}'"):
        setattr(model, name, value)
    setattr(model, name, None)
    assert not any(each.startswith(name) for each in model.state_dict())


def test_names_that_cannot_be_registered():
    model = Counter()
    for name in ("", "a.b", "training", "forward"):
        with pytest.raises(KeyError):
            model.register_buffer(name, ts.tensor(1))
    for register, value in (
        (model.register_buffer, 1),
        (model.register_parameter, ts.tensor([1.0])),
        (model.add_module, ts.tensor([1.0])),
    ):
        with pytest.raises(TypeError):
            register("new", value)


def test_what_is_deleted_is_gone():
    model = Counter()
    del model.layer, model.seen
    assert list(model.state_dict()) == [*NAMES[3:], *NORM]
