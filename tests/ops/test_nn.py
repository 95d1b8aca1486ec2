import numpy as np
import pytest

import trainstation as ts
from trainstation.nn import functional

LOGITS = np.array([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]])


def log_softmax(x, axis):
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("dim", [0, 1, -1, -2])
def test_log_softmax(dim):
    for result in (ts.tensor(LOGITS).log_softmax(dim), functional.log_softmax(ts.tensor(LOGITS), dim)):
        assert np.allclose(result.numpy(), log_softmax(LOGITS, dim), rtol=1e-14, atol=0)


def test_the_last_dim_is_the_default():
    assert np.allclose(ts.tensor(LOGITS).log_softmax().numpy(), log_softmax(LOGITS, -1), rtol=1e-14, atol=0)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
@pytest.mark.parametrize("dim", [0, -1])
def test_log_softmax_of_nothing(shape, dim):
    assert ts.Tensor.zeros(shape).log_softmax(dim).shape == shape


@pytest.mark.parametrize("shape", [(2, 3), (0, 3)])
def test_log_softmax_over_a_dim_that_is_not_there(shape):
    with pytest.raises(IndexError):
        ts.Tensor.zeros(shape).log_softmax(2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_logits_neither_overflow_nor_warn(dtype):
    x = ts.tensor(np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4]], dtype), requires_grad=True)
    assert np.isfinite(x.log_softmax().numpy()).all()
    loss = functional.cross_entropy(x, [0, 1])
    assert loss.item() == pytest.approx(np.log(3) / 2, rel=1e-3)
    loss.backward()
    assert np.allclose(x.grad.numpy(), np.array([[0, 0, 0], [1, -2, 1]]) / 6, atol=1e-3)


def test_classes_ruled_out_have_no_probability_and_no_gradient():
    x = ts.tensor([[0.0, -np.inf, 0.0]], requires_grad=True)
    loss = functional.cross_entropy(x, [0])
    assert loss.item() == pytest.approx(np.log(2), rel=1e-6)
    loss.backward()
    assert x.grad.numpy().tolist() == [[-0.5, 0, 0.5]]
    assert x.log_softmax().numpy()[0, 1] == -np.inf


@pytest.mark.parametrize("targets", [[2, 0], np.array([2, 0], np.uint8), np.array([2, 0], np.int32), ts.tensor([2, 0])])
def test_cross_entropy_is_the_mean_of_the_picked(targets):
    expected = -log_softmax(LOGITS, 1)[[0, 1], [2, 0]].mean()
    for lose in (functional.cross_entropy, ts.nn.CrossEntropyLoss()):
        loss = lose(ts.tensor(LOGITS), targets)
        assert (loss.shape, loss.dtype) == ((), np.float64)
        assert loss.item() == pytest.approx(expected, rel=1e-14)


def test_cross_entropy_of_one_row():
    assert functional.cross_entropy(ts.tensor(LOGITS[0]), 2).item() == pytest.approx(-log_softmax(LOGITS[0], 0)[2])


def test_cross_entropy_of_nothing_is_nan_as_in_torch():
    for shape in [(0, 3), (0, 0)]:
        x = ts.Tensor.zeros(shape, requires_grad=True)
        loss = functional.cross_entropy(x, np.zeros(0, int))
        assert np.isnan(loss.item())
        loss.backward()
        assert x.grad.shape == shape


@pytest.mark.parametrize(
    ("shape", "targets"),
    [
        ((2, 3), [0]),
        ((2, 3), [[0, 1]]),
        ((2, 3), 0),
        ((3,), [0]),
        ((), 0),
        ((2, 3, 4), [[0] * 3] * 2),
        ((2, 3), [0, 1, 2]),
    ],
)
def test_cross_entropy_of_shapes_that_do_not_fit(shape, targets):
    with pytest.raises(ts.ShapeError, match="cross_entropy needs"):
        functional.cross_entropy(ts.Tensor.zeros(shape), targets)


def test_cross_entropy_takes_class_indices():
    with pytest.raises(TypeError, match="integers"):
        functional.cross_entropy(ts.tensor(LOGITS), [True, False])


@pytest.mark.parametrize("use", [ts.Tensor.log_softmax, lambda x: functional.cross_entropy(x, [0, 1])])
def test_integers_are_no_logits(use):
    with pytest.raises(TypeError, match="int64"):
        use(ts.Tensor.ones((2, 3), dtype="int64"))


@pytest.mark.parametrize(
    "targets",
    [[0, 3], [-1, 0], [0, -99], np.array([0, 255], np.uint8), np.array([0, 2**63], np.uint64), [0, -(2**63)]],
)
def test_cross_entropy_of_a_class_that_is_not_there(targets):
    with pytest.raises(IndexError, match=r"0 \.\. 2"):
        functional.cross_entropy(ts.tensor(LOGITS), targets)


def test_cross_entropy_writes_to_none_of_its_inputs():
    logits, targets = ts.tensor(LOGITS, requires_grad=True), ts.tensor([2, 0])
    functional.cross_entropy(logits, targets).backward()
    assert np.array_equal(logits.numpy(), LOGITS)
    assert targets.numpy().tolist() == [2, 0]
