"""Bad input: a clear error that names the thing, and nothing has moved."""

import math

import numpy as np
import pytest

import trainstation as ts
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop

ALL = [Adam, AdamW, SGD, RMSprop]
every = pytest.mark.parametrize("kind", ALL)


def parameter(n=2, dtype=np.float32):
    p = ts.tensor(np.ones(n, dtype), requires_grad=True)
    p.grad = np.ones(n, dtype)
    return p


@every
@pytest.mark.parametrize("lr", [-1, math.nan, math.inf, -math.inf, 1e39])
def test_senseless_learning_rates(kind, lr):
    with pytest.raises(ValueError, match="Invalid learning rate: "):
        kind(lr=lr)
    optimizer = kind([parameter()])
    with pytest.raises(ValueError, match="Invalid learning rate: "):
        optimizer.set_learning_rate(lr)
    with pytest.raises(ValueError, match="Invalid learning rate: "):
        optimizer.add_param_group({"params": [parameter()], "lr": lr})


@pytest.mark.parametrize(
    ("kind", "hyper", "message"),
    [
        (Adam, {"betas": (1.0, 0.999)}, "Invalid beta parameter at index 0: 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        (AdamW, {"betas": (0.9, math.nan)}, "Invalid beta parameter at index 1: nan"),
        (Adam, {"betas": (0.9,)}, "betas are two numbers"),
        (Adam, {"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
        (Adam, {"eps": 0}, "Invalid epsilon value: 0"),
        (RMSprop, {"eps": math.inf}, "Invalid epsilon value: inf"),
        (AdamW, {"weight_decay": -1}, "Invalid weight_decay value: -1"),
        (SGD, {"weight_decay": math.nan}, "Invalid weight_decay value: nan"),
        (SGD, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        (RMSprop, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        (RMSprop, {"alpha": 1.5}, "Invalid alpha value: 1.5"),
        (SGD, {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "Nesterov momentum requires"),
    ],
)
def test_senseless_hyper_parameters(kind, hyper, message):
    with pytest.raises(ValueError, match=message):
        kind([parameter()], **hyper)
    with pytest.raises(ValueError, match=message):
        kind([{"params": [parameter()], **hyper}])
    p = parameter()
    optimizer = kind([p])
    optimizer.param_groups[0].update(hyper)
    with pytest.raises(ValueError, match=message):
        optimizer.step()
    assert (p.data == 1).all()
    assert not optimizer.state


@pytest.mark.parametrize("lr", ["0.1", None, [0.1], True, 1j])
def test_a_learning_rate_that_is_no_number(lr):
    with pytest.raises(TypeError, match="lr must be a number"):
        SGD(lr=lr)


@pytest.mark.parametrize("lr", [1, np.float32(0.5), np.float64(0.5), np.int64(1)])
def test_numbers_of_other_kinds_are_accepted(lr):
    p = parameter()
    SGD([p], lr=lr).step()
    assert (p.data == 1 - float(lr)).all()


def test_betas_as_ints_are_accepted():
    Adam([parameter()], betas=(0, 0.99)).step()


@every
def test_an_unknown_keyword(kind):
    with pytest.raises(TypeError, match="learning_rate"):
        kind([parameter()], learning_rate=0.1)
    with pytest.raises(TypeError, match="weigth_decay"):
        kind([{"params": [parameter()], "weigth_decay": 0.1}])


@every
def test_an_empty_list(kind):
    with pytest.raises(ValueError, match="empty parameter list"):
        kind([])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (parameter(), "iterable of Tensors or dicts, but got Tensor"),
        (np.ones(3), "but got ndarray"),
        ({"params": []}, "but got dict"),
        ([np.ones(3)], "Tensor.from_numpy"),
        ([1.0], "float is not one"),
        ({parameter()}, "ordered"),
        ([{"params": {parameter()}}], "ordered"),
        ([ts.tensor([1, 2])], "int64"),
        ([ts.Tensor.from_numpy(np.ones(3, np.float16))], "float16"),
        ([ts.Tensor.from_numpy(np.ones(3, ">f4"))], "float32 or float64, not >f4"),
    ],
)
def test_what_is_no_parameter(params, message):
    with pytest.raises(TypeError, match=message):
        Adam(params)


def test_a_result_is_no_parameter():
    with pytest.raises(ValueError, match="non-leaf"):
        Adam([parameter() * 2])


def test_a_group_without_params():
    with pytest.raises(ValueError, match='"params"'):
        Adam([{"lr": 0.1}])


def test_a_parameter_given_twice():
    p = parameter()
    with pytest.raises(ValueError, match="more than one"):
        Adam([p, p])
    with pytest.raises(ValueError, match="more than one"):
        Adam([{"params": [p]}, {"params": [p]}])
    with pytest.raises(ValueError, match="more than one"):
        Adam([p]).add_parameter(p)


def test_an_unlinked_parameter():
    p, stranger = parameter(), parameter(5)
    optimizer = Adam([p])
    for call in (optimizer.step, optimizer.zero_grad):
        with pytest.raises(ts.UnlinkedParameterError, match=r"\(5,\)"):
            call([p, stranger])
    assert p.grad is not None
    assert (p.data == 1).all()


def test_a_missing_gradient_is_named_and_nothing_moves():
    p, bare = parameter(), ts.Tensor.ones(3, requires_grad=True)
    optimizer = Adam([("weight", p), ("bias", bare)])
    with pytest.raises(ts.MissingGradientError, match="'bias'"):
        optimizer.step([p, bare])
    assert (p.data == 1).all()
    assert not optimizer.state


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (
            np.ones(3, np.float32),
            ts.ShapeError,
            r"parameter 1 of group 0 .*gradient has shape \(3,\), the parameter \(2,\)",
        ),
        (np.ones((1, 2), np.float32), ts.ShapeError, "shape"),
        (np.ones(2, np.float64), TypeError, "parameter 1 .*gradient has dtype float64, the parameter float32"),
        (np.ones(2, np.int64), TypeError, "dtype int64"),
    ],
)
def test_a_gradient_that_does_not_fit_is_named_and_nothing_moves(gradient, error, message):
    first, p = parameter(), parameter()
    p.grad = gradient
    optimizer = Adam([first, p])
    with pytest.raises(error, match=message):
        optimizer.step()
    assert (first.data == 1).all()
    assert not optimizer.state


def test_state_that_no_longer_fits():
    p = parameter()
    optimizer = Adam([p])
    optimizer.step()
    p.data, p.grad = np.ones(3, np.float32), np.ones(3, np.float32)
    with pytest.raises(ts.ShapeError, match="exp_avg has shape"):
        optimizer.step()
    p.data, p.grad = np.ones(2), np.ones(2)
    with pytest.raises(ts.ShapeError, match="float32"):
        optimizer.step()
    optimizer.clear_states()
    optimizer.step()
    assert (p.data < 1).all()


def test_read_only_data():
    p = parameter()
    p.data.flags.writeable = False
    with pytest.raises(ValueError, match=r"parameter 0 .* read-only"):
        Adam([p]).step()


def test_data_that_is_no_array():
    p = parameter()
    optimizer = Adam([p])
    p.data = [1.0, 1.0]
    with pytest.raises(TypeError, match="parameter 0 of group 0: its data must be"):
        optimizer.step()


@pytest.mark.parametrize(("start", "stop"), [(0, 4), (3, 7), (1, 3)])
def test_parameters_that_share_memory(start, stop):
    whole = np.ones(8, np.float32)
    p, q = ts.Tensor.from_numpy(whole[:4]), ts.Tensor.from_numpy(whole[start:stop])
    p.grad, q.grad = np.ones(4, np.float32), np.ones(stop - start, np.float32)
    with pytest.raises(ValueError, match=r"(?s)parameter [01] of group 0.*parameter [01] of group 0"):
        SGD([p, q]).step()
    assert (whole == 1).all()


def test_neighbours_in_one_buffer_do_not_overlap():
    whole = np.ones(8, np.float32)
    p, q = ts.Tensor.from_numpy(whole[:4]), ts.Tensor.from_numpy(whole[4:])
    p.grad, q.grad = np.ones(4, np.float32), np.ones(4, np.float32)
    SGD([p, q], lr=0.5).step()
    assert (whole == 0.5).all()


def test_a_gradient_that_is_the_parameter_itself():
    p = parameter()
    p.grad = p.data
    with pytest.raises(ValueError, match="gradient of parameter 0"):
        Adam([p]).step()


def test_two_parameters_may_share_a_gradient():
    p, q = parameter(), parameter()
    q.grad = p.grad
    Adam([p, q]).step()
    assert p.data.tobytes() == q.data.tobytes()


def test_a_state_that_lies_in_a_parameter():
    p = parameter()
    optimizer = Adam([p])
    optimizer.step()
    optimizer.state[p]["exp_avg"] = p.data
    with pytest.raises(ValueError, match="exp_avg of parameter 0"):
        optimizer.step()


def test_zero_grad_true_is_the_old_spelling():
    with pytest.raises(TypeError, match="set_to_none=True"):
        Adam([parameter()]).zero_grad(True)


@pytest.mark.parametrize("call", ["step", "zero_grad"])
def test_a_single_parameter_instead_of_a_list(call):
    p = parameter()
    with pytest.raises(TypeError, match=r"step\(\[p\]\)"):
        getattr(Adam([p]), call)(p)


def test_names_for_some_parameters_only():
    with pytest.raises(ValueError, match="names"):
        Adam([("weight", parameter()), parameter()])


@pytest.mark.parametrize("group", [1, "head", -2])
def test_a_group_that_is_not_there(group):
    optimizer = Adam([{"params": [parameter()], "name": "body"}])
    for call in (optimizer.learning_rate, lambda group: optimizer.set_learning_rate(0.1, group)):
        with pytest.raises((IndexError, ValueError), match="group"):
            call(group)
