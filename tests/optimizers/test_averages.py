"""EMA and SWA: in the step's pass, by hand, and in NumPy, bit for bit."""

import copy
import pickle

import numpy as np
import pytest

import trainstation as ts
from trainstation import nn

SHAPES = [(3, 5), (), (0,), (17,), (70_001,)]


def weights(dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return [ts.Tensor.from_numpy(np.asarray(rng.standard_normal(shape), dtype)).requires_grad_() for shape in SHAPES]


def give_gradients(them, seed):
    rng = np.random.default_rng(seed)
    for each in them:
        each.grad = np.asarray(rng.standard_normal(each.shape), each.dtype)


def arrays(average):
    return list(average.state_dict()["averages"].values())


def in_numpy(history, weight_of):
    """What the docstrings say, in the dtype of the values."""
    average = [values.copy() for values in history[0]]
    for n, values in enumerate(history[1:], 1):
        weight = weight_of(n)
        average = [
            v if weight == 1 else a + a.dtype.type(weight) * (v - a) for a, v in zip(average, values, strict=True)
        ]
    return average


KINDS = {
    "EMA": (lambda of: ts.EMA(of, 0.9), lambda n: 1 - 0.9),
    "warm-up": (lambda of: ts.EMA(of, 0.99, warmup=True), lambda n: 1 - min(0.99, (1 + n) / (10 + n))),
    "decay 0": (lambda of: ts.EMA(of, 0.0), lambda n: 1.0),
    "SWA": (ts.SWA, lambda n: 1 / (n + 1)),
}


def run(make, options, isa, threads, dtype, steps=6):
    """Return averages of the pass, averages by hand, and the history of the values."""
    them = weights(dtype)
    optimizer = ts.optimizers.AdamW(them, lr=0.1, **options)
    attached, by_hand = make(optimizer), make(them)
    history = []
    former = ts.get_num_threads()
    try:
        ts.set_num_threads(threads)
        with ts.kernels.use(isa):
            for step in range(steps):
                give_gradients(them, step)
                optimizer.step()
                by_hand.update()
                history.append([each.numpy().copy() for each in them])
    finally:
        ts.set_num_threads(former)
    assert attached.n_averaged == by_hand.n_averaged == steps
    return arrays(attached), arrays(by_hand), history


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("isa", ts.kernels.isas())
def test_the_pass_the_hand_and_numpy_agree_to_the_bit(kind, dtype, isa):
    make, weight_of = KINDS[kind]
    for threads in (1, 3):
        attached, by_hand, history = run(make, {}, isa, threads, dtype)
        for a, b, c in zip(attached, by_hand, in_numpy(history, weight_of), strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("options", [{"state_dtype": "bfloat16"}, {"state_dtype": "8bit"}, {"max_grad_norm": 0.5}])
def test_stored_states_and_clipping(options):
    make, weight_of = KINDS["EMA"]
    attached, by_hand, history = run(make, options, ts.kernels.isas()[-1], 2, np.float32)
    for a, b, c in zip(attached, by_hand, in_numpy(history, weight_of), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_the_steps_are_those_without_an_average():
    ends = []
    for averages in (False, True):
        them = weights()
        optimizer = ts.optimizers.AdamW(them, lr=0.1, state_dtype="8bit")
        if averages:
            ts.EMA(optimizer)
        for step in range(4):
            give_gradients(them, step)
            optimizer.step()
        ends.append([each.numpy() for each in them])
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


class Plain(ts.optimizers.Optimizer):
    """Without a compiled rule."""

    def __init__(self, params=None, lr=0.1):
        super().__init__(params, {"lr": lr})

    def scalars(self, hyper, t):
        return (hyper["lr"],)

    def update(self, p, g, state, scalars):
        p -= scalars[0] * g


def strided(parameter):
    wide = np.zeros((*parameter.shape, 2), parameter.dtype)
    wide[..., 0] = parameter.numpy()
    return ts.Tensor.from_numpy(wide[..., 0]).requires_grad_()


@pytest.mark.parametrize("make", [Plain, lambda them: ts.optimizers.SGD(list(map(strided, them)), lr=0.1)])
def test_rows_that_numpy_steps_are_averaged_too(make):
    optimizer = make(weights())
    (group,) = optimizer.param_groups
    attached, by_hand = ts.EMA(optimizer, 0.5), ts.EMA(group["params"], 0.5)
    for step in range(4):
        give_gradients(group["params"], step)
        optimizer.step()
        by_hand.update()
    for a, b in zip(arrays(attached), arrays(by_hand), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_of_some_averages_all():
    them = weights()
    optimizer = ts.optimizers.SGD(them, lr=0.1)
    attached, by_hand = ts.EMA(optimizer, 0.5), ts.EMA(them, 0.5)
    for step in range(4):
        give_gradients(them, step)
        optimizer.step(them[step % 2 :: 2])
        by_hand.update()
    for a, b in zip(arrays(attached), arrays(by_hand), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_that_is_skipped_or_refused_averages_nothing():
    them = weights()
    optimizer = ts.optimizers.SGD(them, lr=0.1, on_nonfinite="skip")
    average = ts.EMA(optimizer, 0.5)
    give_gradients(them, 0)
    optimizer.step()
    before = arrays(average)
    them[3].grad.numpy()[1] = np.nan
    optimizer.step()
    optimizer.on_nonfinite = "raise"
    with pytest.raises(ts.NonFiniteGradientError):
        optimizer.step()
    optimizer.param_groups[0]["lr"] = -1
    with pytest.raises(ValueError, match="learning rate"):
        optimizer.step()
    assert average.n_averaged == 1
    for a, b in zip(before, arrays(average), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_parameter_that_comes_later_begins_at_its_values():
    them = weights()
    optimizer = ts.optimizers.SGD(them[:2], lr=0.1)
    average = ts.EMA(optimizer, 0.5)
    give_gradients(them, 0)
    optimizer.step()
    optimizer.add_param_group({"params": [them[3]]})
    first = them[3].numpy().copy()
    optimizer.step()
    np.testing.assert_array_equal(arrays(average)[2], first + np.float32(0.5) * (them[3].numpy() - first))


# Swapping


def trained(steps=3):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = ts.optimizers.SGD(model, lr=0.1)
    average = ts.EMA(optimizer, 0.5)
    for step in range(steps):
        optimizer.zero_grad()
        (model(ts.Tensor.randn((5, 4), seed=step)) ** 2).mean().backward()
        optimizer.step()
    return model, optimizer, average


def values_of(model):
    return [parameter.numpy().copy() for parameter in model.parameters()]


def assert_same(a, b):
    for each, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(each, other)


def test_within_the_context_the_weights_are_the_average():
    model, _, average = trained()
    before, averages = values_of(model), arrays(average)
    assert any(not np.array_equal(a, b) for a, b in zip(before, averages, strict=True))
    with average.swapped():
        assert_same(values_of(model), averages)
    assert_same(values_of(model), before)
    with pytest.raises(KeyError), average.swapped():
        raise KeyError
    assert_same(values_of(model), before)
    assert_same(arrays(average), averages)


def test_within_the_context_nothing_may_move():
    model, optimizer, average = trained()
    with average.swapped():
        before = values_of(model)
        for use in (optimizer.step, average.update, average.copy_to_parameters, lambda: average.swapped().__enter__()):
            with pytest.raises(RuntimeError, match="hold their average"):
                use()
        assert_same(values_of(model), before)
    optimizer.step()
    assert average.n_averaged == 4


def test_a_backward_through_weights_that_were_swapped_is_an_error():
    model, _, average = trained()
    loss = (model(ts.Tensor.ones((5, 4))) ** 2).mean()
    with average.swapped():
        pass
    with pytest.raises(ts.GraphError):
        loss.backward()


def test_the_average_may_be_kept():
    model, _, average = trained()
    average.copy_to_parameters()
    assert_same(values_of(model), arrays(average))


# States


def test_names_are_the_models():
    model, _, average = trained()
    state = average.state_dict()
    assert list(state["averages"]) == [name for name, _ in model.named_parameters()]
    assert state["n_averaged"] == 3
    state["averages"]["0.weight"][...] = 7
    assert not (arrays(average)[0] == 7).any()


def test_another_may_take_its_place():
    model, optimizer, average = trained()
    average.stop()
    before = arrays(average)
    optimizer.step()
    other = ts.EMA(optimizer, 0.5)
    optimizer.step()
    assert_same(arrays(average), before)
    assert (average.n_averaged, other.n_averaged) == (3, 1)
    assert_same(arrays(other), values_of(model))


def test_numbers_stand_where_names_are_missing_or_equal():
    layers = nn.Linear(2, 2), nn.Linear(2, 2)
    for groups, expected in [
        ([{"params": each} for each in layers], ["0", "1", "2", "3"]),
        ([{"params": layers[0]}, {"params": list(layers[1].parameters())}], ["0", "1", "2", "3"]),
        ([{"params": layers[0]}], ["weight", "bias"]),
    ]:
        assert list(ts.EMA(ts.optimizers.SGD(groups)).state_dict()["averages"]) == expected


def test_a_state_is_taken_whole_or_not_at_all():
    _, _, average = trained()
    _, _, other = trained(1)
    good = average.state_dict()
    before = other.state_dict()
    averages = good["averages"]
    for bad, error in [
        ({**good, "n_averaged": -1}, ValueError),
        ({**good, "averages": {}}, ValueError),
        ({**good, "averages": {**averages, "2.bias": np.zeros(3, np.float32)}}, ts.ShapeError),
        ({**good, "averages": {**averages, "2.bias": np.zeros(2)}}, ts.ShapeError),
        ({"averages": averages}, KeyError),
    ]:
        with pytest.raises(error):
            other.load_state_dict(bad)
        assert_same(arrays(other), before["averages"].values())
        assert other.n_averaged == 1
    other.load_state_dict(good)
    assert_same(arrays(other), averages.values())
    assert other.n_averaged == 3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_a_copy_goes_on_alike(copied):
    model, optimizer, average = trained()
    twin_model, twin, twin_average = copied((model, optimizer, average))
    for m, o in ((model, optimizer), (twin_model, twin)):
        o.zero_grad()
        (m(ts.Tensor.ones((5, 4))) ** 2).mean().backward()
        o.step()
    assert_same(arrays(average), arrays(twin_average))
    assert average.n_averaged == twin_average.n_averaged == 4


def test_wrong_arguments():
    _, optimizer, _ = trained()
    for make, error, words in [
        (lambda: ts.EMA(optimizer), ValueError, "SGD has an average already"),
        (lambda: ts.EMA(nn.Linear(1, 1), 1.5), ValueError, "Invalid decay value 1.5"),
        (lambda: ts.EMA(nn.ReLU()), ValueError, "ReLU has no parameters"),
        (lambda: ts.EMA([3]), TypeError, "parameter 0 of group 0.*int has none"),
    ]:
        with pytest.raises(error, match=words):
            make()


class Slow(Plain):
    def step(self, parameters=None):
        return super().step(parameters)


def test_an_optimizer_that_does_more_than_a_step_is_refused():
    with pytest.raises(TypeError, match="Slow does more than a step; give its model, and call update"):
        ts.EMA(Slow(weights()))


def test_an_array_of_another_shape_is_refused_before_anything_moves():
    them = weights()
    optimizer = ts.optimizers.SGD(them, lr=0.1)
    average = ts.EMA(optimizer)
    give_gradients(them, 0)
    them[3].data = np.ones(5, np.float32)
    them[3].grad = np.ones(5, np.float32)
    before = [each.numpy().copy() for each in them]
    with pytest.raises(ts.ShapeError, match=r"shape \(17,\).*\(5,\)"):
        optimizer.step()
    assert_same([each.numpy() for each in them], before)
    assert average.n_averaged == 0
