import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import Lent, arrays, bits, strided
from steps import VARIANTS, variants

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop, functional
from trainstation.optimizers.stepping.table import Table

STEPS = {
    Adam: functional.adam_,
    AdamW: functional.adamw_,
    SGD: functional.sgd_,
    RMSprop: functional.rmsprop_,
}


class Pair:
    """The class on tensors, and the function on arrays of the same numbers."""

    def __init__(self, kind, values, **options):
        self.step_arrays, self.options = STEPS[kind], options
        self.tensors = [ts.tensor(value.copy(), requires_grad=True) for value in values]
        self.values, self.state = [value.copy() for value in values], {}
        self.optimizer = kind(self.tensors, **options)

    def step(self, gradients, **hyper):
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.grad = gradient.copy()
        self.optimizer.param_groups[0].update(self.optimizer.defaults | hyper)  # a function forgets them
        self.optimizer.step()
        self.step_arrays(self.values, gradients, self.state, **self.options | hyper)
        for index, (tensor, value) in enumerate(zip(self.tensors, self.values, strict=True)):
            assert bits(value, self.state[index]) == bits(tensor.data, self.optimizer.state[tensor])


@variants
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_as_the_class_while_hyper_parameters_change(kind, hyper, dtype):
    pair = Pair(kind, arrays(dtype), **hyper)
    for t in range(6):
        pair.step(arrays(dtype, seed=t + 1), lr=0.1 / (t + 1), weight_decay=0.01 * (t // 3))


@pytest.mark.parametrize("state_dtype", ["float32", "bfloat16", "8bit"])
def test_same_bits_with_states_of_fewer_bits(state_dtype):
    pair = Pair(AdamW, arrays(), state_dtype=state_dtype)
    for t in range(4):
        pair.step(arrays(seed=t))


@pytest.mark.parametrize(
    ("kind", "switches"),
    [
        (Adam, [{"amsgrad": True}, {"amsgrad": False}, {"amsgrad": True, "maximize": True}]),
        (SGD, [{"momentum": 0.0}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.0}]),
        (RMSprop, [{"centered": True}, {"momentum": 0.5}, {"centered": False, "momentum": 0.0}]),
    ],
)
def test_same_bits_when_hyper_parameters_ask_for_other_rules(kind, switches):
    pair = Pair(kind, arrays())
    for t, hyper in enumerate(switches * 2):
        pair.step(arrays(seed=t), **hyper)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(VARIANTS),
    st.lists(st.sampled_from(["plain", "strided p", "strided g", "read-only g", "lent p", "lent g"]), max_size=6),
    st.sampled_from([np.float32, np.float64]),
)
def test_how_arrays_lie_and_whose_they_are_makes_no_difference(variant, forms, dtype):
    kind, hyper = variant
    first, second = {}, {}
    (plain,) = arrays(dtype, [(3, 5)])
    odd = plain.copy()
    for t, form in enumerate(forms):
        (gradient,) = arrays(dtype, [(3, 5)], seed=t)
        STEPS[kind](plain, gradient, first, **hyper)
        other = gradient.copy()
        if form == "strided p":
            odd = strided(odd)
        if form == "strided g":
            other = strided(other)
        if form == "read-only g":
            other.flags.writeable = False
        STEPS[kind](Lent(odd) if form == "lent p" else odd, Lent(other) if form == "lent g" else other, second, **hyper)
        assert bits(plain, first) == bits(odd, second)
        assert other.tobytes() == gradient.tobytes()


def test_structures():
    w, b, c = arrays(shapes=[(3, 4), (4,), (2,)])
    flat = [w.copy(), b.copy(), c.copy()]
    p, state, flat_state = {"layers": ({"w": w, "b": b},), "step": [c]}, {}, {}
    for t in range(3):
        gw, gb, gc_ = arrays(shapes=[(3, 4), (4,), (2,)], seed=t)
        functional.adamw_(p, {"step": [gc_], "layers": [{"b": gb, "w": gw}]}, state)
        functional.adamw_(flat, (gw, gb, gc_), flat_state)
    found = [state["layers"][0]["w"], state["layers"][0]["b"], state["step"][0]]
    assert [bits(*each) for each in zip([w, b, c], found, strict=True)] == [
        bits(*each) for each in zip(flat, flat_state.values(), strict=True)
    ]


@pytest.mark.parametrize(
    "copied",
    [
        copy.deepcopy,
        lambda state: pickle.loads(pickle.dumps(state)),
        lambda state: {name: np.array(value) for name, value in state.items()},
    ],
    ids=["deepcopy", "pickle", "arrays"],
)
@pytest.mark.parametrize("shape", [(1,), (7,)])
def test_a_copied_state_goes_on_by_itself(copied, shape):
    (p,), (g,), state = arrays(shapes=[shape]), arrays(shapes=[shape], seed=1), {}
    for _ in range(3):
        functional.adam_(p, g, state)
    q, other = p.copy(), copied(state)
    before = bits(p, state)
    functional.adam_(q, g, other)
    assert bits(p, state) == before
    functional.adam_(p, g, state)
    assert bits(p, state) == bits(q, other)
    assert (type(copied(state)["step"]) is int) or isinstance(copied(state)["step"], np.ndarray)


@pytest.mark.parametrize("shape", [(1,), (7,)])
@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(step=0),
        lambda state: state.update(exp_avg=state["exp_avg"].copy()),
        lambda state: state["exp_avg"].fill(0),
        lambda state: state.pop("exp_avg_sq"),
        lambda state: state.clear(),
        lambda state: state.update(mine="kept"),
    ],
    ids=["step", "replaced", "filled", "removed", "cleared", "added"],
)
def test_what_is_written_to_a_state_counts(shape, change):
    (p,), (g,), state = arrays(shapes=[shape]), arrays(shapes=[shape], seed=1), {}
    for _ in range(3):
        functional.adam_(p, g, state)
    change(state)
    q, other = p.copy(), copy.deepcopy(state)  # nothing is kept for it
    functional.adam_(p, g, state)
    functional.adam_(q, g, other)
    others = {name: value for name, value in state.items() if name != "mine"}
    assert state["step"] == other["step"]
    assert state.get("mine") == other.get("mine")
    assert bits(p, others) == bits(q, {name: other[name] for name in others})


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (functional.adam_, lambda p, state: p.__setitem__(0, p[0] * 2)),
        (functional.adam_, lambda p, state: state[1].update(step=0)),
        (functional.adamw_, lambda p, state: None),
        (functional.rmsprop_, lambda p, state: None),
    ],
    ids=["other values", "a later count", "AdamW's step", "RMSprop's step"],
)
def test_a_warm_state_goes_on_as_a_copy_does(step, change):
    p, g, state = arrays(shapes=[(6,), (6,)]), arrays(shapes=[(6,), (6,)], seed=1), {}
    for _ in range(3):
        functional.adam_(p, g, state)
    before = p[0], p[0].copy()
    change(p, state)
    q, other = copy.deepcopy((p, state))
    step(p, g, state)
    step(q, g, other)
    assert [bits(p[i], state[i]) for i in (0, 1)] == [bits(q[i], other[i]) for i in (0, 1)]
    assert p[0] is before[0] or before[0].tobytes() == before[1].tobytes()


def test_a_warm_state_is_of_one_shape_and_kind():
    (p,), (g,), state = arrays(shapes=[(6,)]), arrays(shapes=[(6,)], seed=1), {}
    functional.adam_(p, g, state)
    before = bits(p, state)
    with pytest.raises(ts.ShapeError, match=r"'p'.*exp_avg has shape"):
        functional.adam_(p.reshape(2, 3), g.reshape(2, 3), state)
    with pytest.raises(ts.ShapeError, match=r"'p'.*exp_avg has shape .* needed are .* uint16"):
        functional.adam_(p, g, state, state_dtype="bfloat16")
    assert bits(p, state) == before


def test_the_moments_are_filled_in_place_and_the_count_is_an_int():
    (p,), (g,), state = arrays(shapes=[(5,)]), arrays(shapes=[(5,)], seed=1), {}
    functional.adam_(p, g, state)
    moments = state["exp_avg"], state["exp_avg_sq"]
    functional.adam_(p, g, state)
    assert state["exp_avg"] is moments[0]
    assert state["exp_avg_sq"] is moments[1]
    assert isinstance(state["step"], int)
    assert (state["step"], repr(state["step"])) == (2, "2")


def test_the_parameters_of_a_call_may_change():
    p, g, state = arrays(), arrays(seed=1), {}
    for _ in range(2):
        functional.adam_(p[:2], g[:2], state)
    functional.adam_(p, g, state)
    functional.adam_(p[:1], g[:1], state)
    functional.adam_(p[:2], g[:2], state)
    assert [state[index]["step"] for index in range(5)] == [5, 4, 1, 1, 1]
    alone, single = arrays()[0], {}
    for _ in range(5):
        functional.adam_(alone, g[0], single)
    assert bits(p[0], state[0]) == bits(alone, single)


def test_one_call_steps_all_and_goes_on_with_what_was_checked(monkeypatch):
    counts = {"checked": 0, "stepped": 0}

    def counting(kind, method, name):
        plain = getattr(kind, method)

        def counted(*args, **kwargs):
            counts[name] += 1
            return plain(*args, **kwargs)

        monkeypatch.setattr(kind, method, counted)

    counting(Table, "__init__", "checked")
    counting(kernels.Call, "__call__", "stepped")
    p, state = arrays(), {}
    for t in range(4):
        functional.adam_([Lent(p[0]), *p[1:]], list(map(Lent, arrays(seed=t))), state, lr=0.1 / (t + 1))
    assert counts == {"checked": 1, "stepped": 4}


def test_between_calls_nothing_is_held():
    gc.disable()  # nothing may wait for it
    try:
        (p,), state, noted = arrays(shapes=[(100,)]), {}, []
        for t in range(4):
            (g,) = arrays(shapes=[(100,)], seed=t)
            functional.adam_(p, strided(g) if t == 1 else g, state, amsgrad=t == 3)
            noted.append(state["step"])
            gone = weakref.ref(g)
            del g
            assert gone() is None
        of_values, of_moments = weakref.ref(p), weakref.ref(state["exp_avg"])
        del p
        assert of_values() is None
        del state, noted[-1]
        assert of_moments() is None
        assert noted == [1, 2, 3]
    finally:
        gc.enable()


def test_a_tensor_around_an_array_steps_its_memory():
    (p,), (g,) = arrays(shapes=[(6,)]), arrays(shapes=[(6,)], seed=1)
    before, address = p.copy(), p.ctypes.data
    tensor = ts.Tensor.from_numpy(p).requires_grad_()
    tensor.grad = g
    assert tensor.data.ctypes.data == address
    assert tensor.grad.data.ctypes.data == g.ctypes.data
    optimizer = ts.create_optimizer("sgd", [tensor], lr=0.5)
    optimizer.step()
    np.testing.assert_array_equal(p, before - np.float32(0.5) * g)
