import copy
import math

import numpy as np
import pytest

import trainstation as ts
from trainstation import nn
from trainstation.nn import functional


class Net(nn.Module):
    def __init__(self):
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter([1.0])
        self.body = nn.Sequential(nn.ReLU(), nn.Linear(3, 3, bias=False))
        self.constant = ts.tensor([5.0])

    def forward(self, x, shift=0.0):
        return self.body(self.first(x)) * self.scale + shift


def test_parameters_have_dotted_names_own_ones_before_those_of_children():
    net = Net()
    expected = {
        "scale": net.scale,
        "first.weight": net.first.weight,
        "first.bias": net.first.bias,
        "body.1.weight": net.body[1].weight,
    }
    named = dict(net.named_parameters())
    assert list(named) == list(expected)
    assert all(named[name] is expected[name] for name in expected)
    assert [id(p) for p in net.parameters()] == [id(p) for p in expected.values()]


def test_names_may_have_a_prefix():
    assert [name for name, _ in nn.Linear(1, 1).named_parameters("net")] == ["net.weight", "net.bias"]


def test_a_shared_parameter_is_named_once():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.weight = first.weight
    model = nn.Sequential(first, second, first)
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]


def test_equal_parameters_are_not_shared():
    model = nn.Module()
    model.a, model.b = nn.Parameter([1.0, 2.0]), nn.Parameter([1.0, 2.0])
    assert len(list(model.parameters())) == 2


def test_children_are_modules_in_the_order_of_their_names():
    net = Net()
    assert [name for name, _ in net.named_children()] == ["first", "body"]
    assert list(net.children()) == [net.first, net.body]


def test_a_replaced_attribute_is_what_counts():
    layer = nn.Linear(2, 2)
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.weight = nn.Parameter(np.ones((1, 2), np.float32))
    assert layer(ts.Tensor.ones((1, 2))).item() == 2


def test_a_parameter_requires_a_gradient_and_copies():
    array = np.ones(2)
    parameter = nn.Parameter(array)
    array += 1
    assert isinstance(parameter, ts.Tensor)
    assert parameter.requires_grad
    assert parameter.numpy().tolist() == [1, 1]
    assert parameter.dtype == np.float64
    assert not nn.Parameter([1.0], requires_grad=False).requires_grad


def test_the_result_of_an_operation_is_no_parameter():
    model = nn.Module()
    model.result = nn.Parameter([1.0]) * 2
    assert list(model.parameters()) == []


def test_train_and_eval_reach_every_module():
    net = Net()
    modules = [net, net.first, net.body, *net.body]
    assert all(module.training for module in modules)
    assert net.eval() is net
    assert not any(module.training for module in modules)
    assert net.train() is net
    assert all(module.training for module in modules)
    net.train(False)
    assert not net.body[0].training


def test_forward_is_called_with_all_arguments():
    net = Net()
    x = ts.Tensor.ones((1, 2))
    assert np.allclose(net(x, shift=2.0).numpy() - net(x, 1.0).numpy(), 1, atol=0)


def test_forward_has_to_be_written():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty"):
        Empty()(1)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Linear(2, 3), "Linear(in_features=2, out_features=3, bias=True)"),
        (nn.Linear(2, 3, bias=False), "Linear(in_features=2, out_features=3, bias=False)"),
        (nn.ReLU(), "ReLU()"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss()"),
        (nn.Sequential(), "Sequential()"),
        (
            nn.Sequential(nn.Sequential(nn.Tanh()), nn.Sigmoid()),
            "Sequential(\n  (0): Sequential(\n    (0): Tanh()\n  )\n  (1): Sigmoid()\n)",
        ),
    ],
)
def test_repr_is_torchs(module, text):
    assert repr(module) == text


def test_linear_starts_in_torchs_range():
    ts.manual_seed(0)
    layer = nn.Linear(400, 300)
    bound = 1 / math.sqrt(400)
    for parameter, spread in [(layer.weight, 0.001), (layer.bias, 0.01)]:
        drawn = parameter.numpy()
        assert drawn.dtype == np.float32
        assert 0.95 * bound < np.abs(drawn).max() <= bound
        assert abs(drawn.mean()) < spread
        assert drawn.std() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    assert layer.weight.shape == (300, 400)
    assert layer.bias.shape == (300,)


def test_linear_of_no_features():
    layer = nn.Linear(0, 2)
    assert layer(ts.Tensor.zeros((3, 0))).numpy().tolist() == [[0, 0]] * 3


def test_a_seed_gives_the_same_weights():
    def weights():
        ts.manual_seed(7)
        return [parameter.numpy() for parameter in Net().parameters()]

    assert all(np.array_equal(a, b) for a, b in zip(weights(), weights(), strict=True))
    assert not np.array_equal(nn.Linear(2, 2).weight.numpy(), nn.Linear(2, 2).weight.numpy())


def test_linear_is_the_product_with_the_transposed_weight():
    layer, x = nn.Linear(3, 2), ts.Tensor.randn((4, 3), 0)
    expected = x.numpy() @ layer.weight.numpy().T + layer.bias.numpy()
    assert np.allclose(layer(x).numpy(), expected, rtol=1e-6, atol=0)
    layer(x).sum().backward()
    assert np.allclose(layer.weight.grad.numpy(), [x.numpy().sum(axis=0)] * 2, rtol=1e-6, atol=0)
    assert layer.bias.grad.numpy().tolist() == [4, 4]


@pytest.mark.parametrize(
    ("layer", "function"),
    [(nn.ReLU(), functional.relu), (nn.Tanh(), functional.tanh), (nn.Sigmoid(), functional.sigmoid)],
)
def test_activations_are_their_functions(layer, function):
    x = ts.tensor([-1.0, 0.0, 2.0])
    method = getattr(x, type(layer).__name__.lower())
    assert layer(x).numpy().tolist() == function(x).numpy().tolist() == method().numpy().tolist()


def test_sequential_feeds_each_module_what_the_one_before_gave():
    layers = [nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)]
    model, x = nn.Sequential(*layers), ts.Tensor.randn((4, 2), 0)
    assert np.array_equal(model(x).numpy(), layers[2](layers[1](layers[0](x))).numpy())
    assert list(model) == layers
    assert len(model) == 3
    assert model[-1] is layers[2]
    assert nn.Sequential()(x) is x


def test_sequential_takes_modules():
    with pytest.raises(TypeError, match=r"argument 1 is a function|argument 1 is a type"):
        nn.Sequential(nn.ReLU(), nn.Tanh)


def test_a_deep_copy_is_a_model_of_its_own():
    net = Net()
    other = copy.deepcopy(net)
    other.first.weight.data += 1
    assert not np.array_equal(net.first.weight.numpy(), other.first.weight.numpy())
    assert [name for name, _ in other.named_parameters()] == [name for name, _ in net.named_parameters()]


def test_init_writes_in_place_and_counts_as_a_change():
    w = ts.Tensor.zeros((4, 25), requires_grad=True)
    array = w.data
    loss = (w * w).sum()
    ts.manual_seed(0)
    assert nn.init.kaiming_uniform_(w) is w
    assert w.data is array
    bound = math.sqrt(6 / 25)
    assert 0.9 * bound < np.abs(array).max() <= bound
    with pytest.raises(ts.GraphError, match="modified in place"):
        loss.backward()


def test_uniform():
    ts.manual_seed(0)
    drawn = nn.init.uniform_(ts.Tensor.zeros(1000), 2.0, 3.0).numpy()
    assert 2 <= drawn.min() < 2.05
    assert 2.95 < drawn.max() <= 3


def test_a_parameter_is_replaced_by_a_parameter_or_none_only():
    layer = ts.nn.Linear(2, 3)
    for value in (3, ts.Tensor.zeros([3, 2])):
        with pytest.raises(TypeError, match=r"cannot assign '.*' as parameter 'weight'"):
            layer.weight = value
    layer.weight = ts.nn.Parameter([[1.0, 2.0]])
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
