from collections import OrderedDict

import numpy as np
import pytest

import trainstation as ts
from trainstation import nn
from trainstation.nn import functional


def test_dropout_zeroes_its_share_and_scales_the_rest():
    ts.manual_seed(0)
    layer, x = nn.Dropout(0.25), ts.Tensor.ones((200, 100), requires_grad=True)
    y = layer(x)
    kept = y.numpy() != 0
    assert kept.mean() == pytest.approx(0.75, abs=0.02)
    assert y.dtype == np.float32
    assert np.allclose(y.numpy()[kept], 4 / 3, rtol=1e-6)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.numpy())
    assert not np.array_equal(layer(x).numpy(), y.numpy())
    ts.manual_seed(0)
    assert np.array_equal(layer(x).numpy(), y.numpy())


def test_dropout_does_nothing_in_evaluation():
    x = ts.Tensor.ones(5)
    assert nn.Dropout(0.9).eval()(x) is x
    assert functional.dropout(x, 0.9, training=False) is x
    assert not functional.dropout(x, 1.0).numpy().any()


def test_dropout_inside_attention_is_of_training_only():
    layer, x = nn.MultiHeadAttention(4, 2, dropout=0.5, batch_first=True), ts.Tensor.randn((2, 6, 4), 0)
    for options in ({}, {"need_weights": True}):
        assert not np.array_equal(layer.train()(x, x, x, **options)[0].numpy(), layer(x, x, x, **options)[0].numpy())
        assert np.array_equal(layer.eval()(x, x, x, **options)[0].numpy(), layer(x, x, x, **options)[0].numpy())


def test_attention_gives_weights_when_asked():
    layer, x = nn.MultiHeadAttention(4, 2, batch_first=True), ts.Tensor.randn((2, 6, 4), 0)
    fast, nothing = layer(x, x, x, is_causal=True)
    slow, weights = layer(x, x, x, is_causal=True, need_weights=True)
    assert nothing is None
    assert weights.shape == (2, 6, 6)
    assert not np.triu(weights.numpy(), 1).any()
    assert np.allclose(weights.numpy().sum(-1), 1, rtol=1e-6)
    assert np.allclose(fast.numpy(), slow.numpy(), rtol=1e-5, atol=1e-6)


def test_the_padding_row_gets_no_gradient():
    layer = nn.Embedding(4, 2, padding_idx=-3)
    assert layer.weight.numpy()[1].tolist() == [0, 0]
    layer(ts.tensor([[1, 0], [1, 3]])).sum().backward()
    assert layer.weight.grad.numpy().tolist() == [[1, 1], [0, 0], [0, 0], [1, 1]]


def test_running_statistics_may_move_before_backward():
    layer = nn.BatchNorm1d(2).eval()
    x = ts.tensor(np.arange(6.0).reshape(3, 2).astype(np.float32), requires_grad=True)
    result = layer(x).sum()
    layer.running_mean.data += 5
    layer.running_mean._bump_version()
    result.backward()
    assert np.allclose(layer.weight.grad.numpy(), x.numpy().sum(0), rtol=1e-4)


def test_sequential_is_a_list_of_modules():
    first, second, third = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(first).append(second).extend([third])
    assert list(model) == [first, second, third]
    assert list(model[1:]) == [second, third]
    assert [name for name, _ in model[1:].named_children()] == ["1", "2"]
    assert isinstance(model[:2], nn.Sequential)
    model.insert(0, nn.Identity())
    assert [type(each) for each in model] == [nn.Identity, nn.ReLU, nn.Tanh, nn.Sigmoid]
    model[0] = third
    assert model[0] is model[-1] is third
    x = ts.tensor([-1.0, 2.0])
    assert np.array_equal(model(x).numpy(), third(second(first(third(x)))).numpy())
    with pytest.raises(IndexError):
        model[4]
    named = nn.Sequential(OrderedDict(up=nn.Linear(1, 2), down=nn.Linear(2, 1)))
    assert [name for name, _ in named.named_children()] == ["up", "down"]
    assert named(ts.Tensor.ones((1, 1))).shape == (1, 1)
    named.up = nn.Linear(1, 2, bias=False)
    assert named[0] is named.up


def test_a_module_may_stand_twice_in_a_row():
    layer = nn.Linear(1, 1)
    model = nn.Sequential(layer, layer)
    assert len(model) == 2
    assert len(list(model.parameters())) == 2
    layer.load_state_dict({"weight": np.array([[3.0]]), "bias": np.array([0.0])})
    assert model(ts.tensor([[1.0]])).item() == 9


def test_a_list_finds_parameters_and_computes_nothing():
    model = nn.ModuleList([nn.Linear(1, 2, bias=False) for _ in range(2)])
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "1.weight"]
    with pytest.raises(NotImplementedError):
        model(ts.tensor([1.0]))


def test_shapes_that_broadcast_in_a_loss_are_a_warning():
    for lose in (functional.mse_loss, functional.l1_loss, functional.huber_loss, functional.smooth_l1_loss):
        with pytest.warns(UserWarning, match="broadcast"):
            assert lose(ts.Tensor.ones((3, 1)), ts.Tensor.zeros(3)).shape == ()


@pytest.mark.parametrize("lose", [functional.cross_entropy, functional.nll_loss])
def test_a_loss_of_ignored_targets_only_is_nan(lose):
    for weight in (None, ts.tensor([1.0, 2.0])):
        assert np.isnan(lose(ts.Tensor.zeros((2, 2)), [1, 1], weight, ignore_index=1).item())


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 2), (3, 3)])
def test_orthogonal(shape):
    drawn = nn.init.orthogonal_(ts.Tensor.zeros(shape, dtype=np.float64), gain=2.0).numpy().reshape(shape[0], -1)
    small = min(drawn.shape)
    product = drawn @ drawn.T if drawn.shape[0] == small else drawn.T @ drawn
    assert np.allclose(product, 4 * np.eye(small), atol=1e-12)


def test_a_truncated_normal_far_from_its_mean_is_drawn_too():
    drawn = nn.init.trunc_normal_(ts.Tensor.zeros(1000), a=6.0, b=np.inf).numpy()
    assert drawn.min() >= 6
    assert drawn.mean() == pytest.approx(6.158, abs=0.02)
    for window in ((1.0, 1.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="a < b"):
            nn.init.trunc_normal_(ts.Tensor.zeros(2), a=window[0], b=window[1])


def test_a_generator_of_ones_own():
    def drawn():
        return nn.init.normal_(ts.Tensor.zeros(9), generator=np.random.default_rng(3)).numpy()

    assert np.array_equal(drawn(), drawn())
    assert nn.init.eye_(ts.Tensor.zeros((2, 3))).numpy().tolist() == [[1, 0, 0], [0, 1, 0]]
