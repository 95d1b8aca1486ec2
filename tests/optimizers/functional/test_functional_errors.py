import copy

import numpy as np
import pytest
from plain import Lent, arrays, bits

import trainstation as ts
from trainstation.optimizers import functional


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ONE = np.ones(3, np.float32)
BOTH = np.ones(6, np.float32)
REFUSED = [
    (
        ONE.tolist(),
        ONE.tolist(),
        {},
        {},
        TypeError,
        r"p\[0\] must be a NumPy array or one that speaks DLPack, not float",
    ),
    ("p", ONE, {}, {}, TypeError, "p must be a NumPy array or one that speaks DLPack, not str"),
    (np.float32(1), np.float32(1), {}, {}, TypeError, "p must be a NumPy array or one that .*, not float32"),
    (frozen(ONE), ONE, {}, {}, TypeError, r"p is read-only, as JAX's arrays are; .*p = np\.array\(p\)"),
    (Lent(frozen(ONE)), ONE, {}, {}, TypeError, "p.* read-only"),
    (ONE.astype(np.int64), ONE, {}, {}, TypeError, "p must be float32 or float64, not int64"),
    (ONE.astype(">f4"), ONE, {}, {}, TypeError, "p must be float32 or float64, not >f4"),
    (ONE, ONE.astype(float), {}, {}, TypeError, "g has dtype float64, p float32"),
    (ONE, "g", {}, {}, TypeError, "g must be a NumPy array or one that speaks DLPack, not str"),
    ([ONE], [np.ones(4, np.float32)], {}, {}, ts.ShapeError, r"g\[0\] has shape \(4,\), p\[0\] \(3,\)"),
    ([ONE], [None], {}, {}, ts.MissingGradientError, r"g\[0\] is None"),
    ([ONE], ONE, {}, {}, TypeError, "g must be a list, as p is, not ndarray"),
    ([ONE], {0: ONE}, {}, {}, TypeError, "g must be a list, as p is, not dict"),
    ({"w": ONE}, {"b": ONE}, {}, {}, ts.ShapeError, r"g must have the entries of p, \['w'\], not \['b'\]"),
    ([], [], {}, {}, ValueError, "p has no arrays"),
    (ONE, ONE, None, {}, TypeError, "state must be a dict, empty at first, not NoneType"),
    ([ONE], [ONE], {0: 1}, {}, TypeError, r"state\[0\] must be a dict"),
    ({"w": ONE}, {"w": ONE}, {"w": {"step": -1}}, {}, ValueError, r"p\['w'\].*its step must be a count, not -1"),
    (ONE, ONE, {"step": 1, "exp_avg": BOTH}, {}, ts.ShapeError, r"'p'.*its exp_avg has shape \(6,\)"),
    (BOTH[:3], BOTH[2:5], {}, {}, ValueError, "memory overlaps.*values of .*'p'.*gradient of .*'p'"),
    ([ONE, ONE], [BOTH[:3], BOTH[3:]], {}, {}, ValueError, r"memory overlaps.*'p\[0\]'.*'p\[1\]'"),
    (ONE, BOTH[:3], {}, {"lr": -1}, ValueError, "Invalid learning rate: -1"),
    (ONE, BOTH[:3], {}, {"eps": 0.0}, ValueError, "Invalid epsilon value: 0"),
    (ONE, BOTH[:3], {}, {"betas": (0.9,)}, ValueError, "betas are 2 numbers"),
    (ONE, BOTH[:3], {}, {"state_dtype": "int4"}, ValueError, "state_dtype is one of"),
    (ONE, BOTH[:3], {}, {"momentum": 0.9}, TypeError, "unexpected keyword argument 'momentum'"),
]


@pytest.mark.parametrize(("p", "g", "state", "hyper", "error", "words"), REFUSED)
def test_refused_and_nothing_has_moved(p, g, state, hyper, error, words):
    before = copy.deepcopy(state)
    with pytest.raises(error, match=f"(?s){words}"):
        functional.adam_(p, g, state, **hyper)
    assert (ONE.tolist(), BOTH.tolist()) == ([1] * 3, [1] * 6)
    assert repr(state) == repr(before)


@pytest.mark.parametrize("where", ["values", "former gradient", "gradient", "moment", "other"])
def test_arrays_that_come_to_overlap_are_refused(where):
    same = BOTH[:3].copy()
    p, g, state = [BOTH[:3].copy(), BOTH[:3].copy()], [same, same], {}  # two gradients may be one
    for _ in range(2):
        functional.adam_(p, g, state)
    p[0] = {"values": p[1][:], "former gradient": same[:]}.get(where, p[0])
    g[1] = {"gradient": p[1], "moment": state[0]["exp_avg"], "other": p[0]}.get(where, g[1])
    before = [bits(array, state[index]) for index, array in enumerate(p)]
    with pytest.raises(ValueError, match="memory overlaps"):
        functional.adam_(p, g, state)
    assert [bits(array, state[index]) for index, array in enumerate(p)] == before


def test_what_is_refused_leaves_a_warm_state_as_it_was():
    (p,), (g,), state = arrays(shapes=[(5,)]), arrays(shapes=[(5,)], seed=1), {}
    functional.adam_(p, g, state)
    before = bits(p, state)
    with pytest.raises(ValueError, match="Invalid learning rate: nan"):
        functional.adam_(p, g, state, lr=float("nan"))
    p.flags.writeable = False
    with pytest.raises(TypeError, match="p is read-only"):
        functional.adam_(p, g, state)
    p.flags.writeable, state["exp_avg"].flags.writeable = True, False
    with pytest.raises(ValueError, match=r"'p'.*its exp_avg is read-only"):
        functional.adam_(p, g, state)
    assert bits(p, state) == before
