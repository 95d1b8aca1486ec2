"""Where arrays lie, and where objects keep what they refer to."""

import gc
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trainstation as ts
from trainstation import kernels
from trainstation.kernels.objects import ATTRIBUTE, offset_of
from trainstation.optimizers import Adam


def place(array):
    return array.__array_interface__["data"][0] % 512


@given(
    size=st.integers(0, 5000),
    offset=st.integers(0, 200).map(lambda words: 4 * words),
    dtypes=st.sampled_from([("f4", "f4"), ("f8", "f8"), ("f4", "u2"), ("f4", "u1")]),
)
def test_long_states_lie_where_their_parameter_does(size, offset, dtypes):
    dtype, other = map(np.dtype, dtypes)
    array = np.frombuffer(bytearray(offset + size * dtype.itemsize), dtype, size, offset)
    made = kernels.zeros_beside(array, array.shape, other)
    assert (made.shape, made.dtype, made.flags.c_contiguous) == ((size,), other, True)
    assert not made.any()
    if made.nbytes >= 4096:
        assert place(made) == (place(array) if dtype == other else 0)
    values = np.arange(size).astype(other)
    assert np.array_equal(kernels.copy_beside(array, values), values)


def test_an_optimizers_states_do_and_a_loaded_one_s_too():
    p = ts.Tensor.from_numpy(np.zeros(3000, np.float32)[7:]).requires_grad_()
    p.grad = np.ones(2993, np.float32)
    one, other = Adam([p]), Adam([p])
    one.step()
    other.load_state_dict(one.state_dict())
    for optimizer in (one, other):
        for name in ("exp_avg", "exp_avg_sq"):
            assert place(optimizer.state[p][name]) == place(p.data)
            assert np.array_equal(optimizer.state[p][name], one.state[p][name])


def test_a_copy_in_c_order_of_what_is_not():
    values = np.arange(6000.0).reshape(60, 100).T
    made = kernels.copy_beside(values, values)
    assert made.flags.c_contiguous
    assert np.array_equal(made, values)


class Slots:
    __slots__ = ("first", "second")


class More(Slots):
    __slots__ = ("third",)


class Dict:
    data = None


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="objects lie otherwise")
def test_a_slot_is_found_where_it_is():
    for kind, name in ((Slots, "first"), (Slots, "second"), (More, "second"), (More, "third"), (ts.Tensor, "data")):
        one = object.__new__(kind)
        setattr(one, name, value := object())
        offset = offset_of(kind, name)
        assert offset != ATTRIBUTE
        assert np.frombuffer(memory(one), np.uintp)[offset // 8] == id(value)
        del one
    gc.collect()


def memory(instance):
    import ctypes

    return ctypes.string_at(id(instance), type(instance).__basicsize__)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Dict, "data"), (Slots, "third"), (np.ndarray, "data"), (np.ndarray, "shape"), (int, "real"), (Slots, "__doc__")],
)
def test_what_is_no_slot_is_not_found(kind, name):
    assert offset_of(kind, name) == ATTRIBUTE
