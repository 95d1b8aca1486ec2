"""Bad input: a clear error that names the thing, and nothing has moved."""

import dataclasses
import math

import numpy as np
import pytest
from steps import everything

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
        (Adam, {"betas": (0.9,)}, "betas are 2 numbers"),
        (Adam, {"eps": -1e-8}, "Invalid epsilon value: -1e-08"),
        (Adam, {"eps": 0}, "Invalid epsilon value: 0"),
        (RMSprop, {"eps": math.inf}, "Invalid epsilon value: inf"),
        (AdamW, {"weight_decay": -1}, "Invalid weight_decay value: -1"),
        (SGD, {"weight_decay": math.nan}, "Invalid weight_decay value: nan"),
        (SGD, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        (RMSprop, {"momentum": -0.5}, "Invalid momentum value: -0.5"),
        (RMSprop, {"alpha": 1.5}, "Invalid alpha value: 1.5"),
        (SGD, {"momentum": 0.9, "dampening": math.nan}, "Invalid dampening value: nan"),
        (Adam, {"eps": 1e-50}, "Invalid epsilon value: 1e-50"),
        (Adam, {"eps": 10**400}, "Invalid epsilon value: 1000"),
        (AdamW, {"weight_decay": 1e300}, "Invalid weight_decay value: 1e"),
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


@pytest.mark.parametrize("betas", [0.9, None, "ab"])
def test_betas_that_are_no_numbers(betas):
    with pytest.raises(TypeError, match="betas"):
        Adam(betas=betas)


def test_a_scaled_rate_that_overflows():
    optimizer = SGD([{"params": [parameter()], "lr": 1e38, "lr_scale": 1e10}])
    with pytest.raises(ValueError, match="lr_scale") as caught:
        optimizer.step()
    assert caught.value.__notes__ == ["in parameter group 0"]


def test_a_group_appended_by_hand_without_its_hyper_parameters():
    optimizer = Adam([parameter()])
    optimizer.param_groups.append({"params": [parameter()], "lr": 0.1})
    with pytest.raises(ValueError, match="group 1 lacks amsgrad, betas"):
        optimizer.step()


def test_parameters_that_are_equal_by_value():
    @dataclasses.dataclass
    class Value:
        data: np.ndarray
        grad: np.ndarray

    with pytest.raises(TypeError, match="identity; Value"):
        SGD([Value(np.ones(2), np.ones(2))])


@pytest.mark.parametrize("compiled", [True, False])
def test_data_that_becomes_read_only_between_steps(compiled):
    p = parameter()
    optimizer = (Adam if compiled else SGD)([p])
    optimizer.step()
    p.data.flags.writeable = False
    before = p.data.tobytes()
    with pytest.raises(ValueError, match=r"parameter 0 .* read-only"):
        optimizer.step()
    assert p.data.tobytes() == before


@pytest.mark.parametrize("rule", [Adam.rule, None], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("name", ["step", "exp_avg", "exp_avg_sq"])
def test_a_state_that_is_frozen_between_steps_is_refused_before_anything_moves(name, rule):
    p, q = parameter(), parameter()
    optimizer = type("Frozen", (Adam,), {"rule": rule})([p, q])
    optimizer.step()
    before = everything(optimizer)
    optimizer.state[q][name].flags.writeable = False
    for _ in range(2):
        with pytest.raises(ValueError, match=f"parameter 1 of group 0 .*: its {name} is read-only"):
            optimizer.step()
        assert everything(optimizer) == before
    optimizer.state[q][name].flags.writeable = True
    optimizer.step()
    assert [int(state["step"]) for state in optimizer.state.values()] == [2, 2]


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("exp_avg", np.broadcast_to(np.float32(0), (2,)), ValueError, "exp_avg is read-only"),
        ("exp_avg", [0.0, 0.0], TypeError, "exp_avg must be an array, not list"),
        ("step", -1, ValueError, "step must be a count, not -1"),
        ("step", 1.5, ValueError, "step must be a count, not 1.5"),
        ("step", "x", ValueError, "step must be a count, not 'x'"),
    ],
)
def test_a_state_that_was_spoiled_by_hand(name, value, error, message):
    p = parameter()
    optimizer = Adam([p])
    optimizer.step()
    optimizer.state[p][name] = value
    before = p.data.tobytes()
    with pytest.raises(error, match=message):
        optimizer.step()
    assert p.data.tobytes() == before


def test_elements_that_lie_on_top_of_one_another():
    p = ts.Tensor.from_numpy(np.lib.stride_tricks.as_strided(np.ones(4, np.float32), (3, 2), (4, 4)))
    p.grad = np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match="on top of one another"):
        SGD([p]).step()


def test_a_parameter_within_a_long_gradient():
    whole = np.ones(20, np.float32)
    p, q = ts.Tensor.from_numpy(np.ones(20, np.float32)), ts.Tensor.from_numpy(whole[10:12])
    r = parameter(4)
    p.grad, q.grad, r.grad = whole, np.ones(2, np.float32), whole[2:6]
    with pytest.raises(ValueError, match="gradient of parameter 0"):
        SGD([p, r, q]).step()


class TestAnAuthorsMistakes:
    """A class and a rule that do not fit together are an error, never a write to foreign memory."""

    def test_states_that_the_rule_does_not_have(self):
        kind = type("Bad", (Adam,), {"states": ("exp_avg",)})
        with pytest.raises(ts.KernelError, match="Bad has the states"):
            kind([parameter()]).step()

    def test_scalars_in_another_number(self):
        kind = type("Bad", (Adam,), {"scalars": lambda self, hyper, t: (0.0,)})
        optimizer = kind([parameter()])
        with pytest.raises(ts.KernelError, match="1 numbers; its rule takes 7"):
            optimizer.step()
        assert not optimizer.state

    @pytest.mark.parametrize("rule", ["adam", None])
    def test_states_of_another_shape(self, rule):
        def init_state(self, p):
            return {name: np.zeros(1, np.float32) for name in ("exp_avg", "exp_avg_sq")}

        optimizer = type("Bad", (Adam,), {"init_state": init_state, "rule": rule})([parameter(5)])
        with pytest.raises(ts.ShapeError, match="exp_avg has shape"):
            optimizer.step()
        assert not optimizer.state

    def test_an_error_in_scalars_or_prepare_moves_nothing(self):
        p, q = parameter(), parameter()
        optimizer = SGD([{"params": [p]}, {"params": [q], "lr": 0.5}])
        before = p.data.tobytes()
        scalars = optimizer.scalars
        optimizer.scalars = lambda hyper, t: scalars(hyper, t) if hyper["lr"] != 0.5 else 1 / 0
        with pytest.raises(ZeroDivisionError):
            optimizer.step()
        optimizer.scalars, optimizer.prepare = scalars, lambda active: 1 / 0
        with pytest.raises(ZeroDivisionError):
            optimizer.step()
        assert p.data.tobytes() == before
        assert not optimizer.state

    def test_an_update_that_raises_has_bumped_what_moved(self):
        class Fragile(SGD):
            def update(self, p, g, state, scalars):
                if p.size == 3:
                    raise ZeroDivisionError
                super().update(p, g, state, scalars)

        p = parameter()
        loss = (p * p).sum()
        with pytest.raises(ZeroDivisionError):
            Fragile([p, parameter(3)]).step()
        with pytest.raises(ts.GraphError, match="in place"):
            loss.backward()

    def test_a_state_that_update_rebinds_is_kept(self):
        class Rebinding(SGD):
            def update(self, p, g, state, scalars):
                state["momentum_buffer"] = state["momentum_buffer"] + g

        p = parameter()
        optimizer = Rebinding([p], momentum=0.9)
        optimizer.step()
        optimizer.step()
        assert (optimizer.state[p]["momentum_buffer"] == 2).all()


@pytest.mark.parametrize("gradient", [[1.0, 2.0], (1.0, 2.0), "steep", 3])
def test_a_gradient_that_is_no_array_is_named(gradient):
    class Plain:
        def __init__(self):
            self.data, self.grad = np.ones(2, np.float32), gradient

    p = Plain()
    kind = type(gradient).__name__
    with pytest.raises(TypeError, match=f"parameter 0 of group 0 .*: its gradient must be an array .*, not {kind}"):
        Adam([p]).step()
    assert np.array_equal(p.data, [1, 1])
