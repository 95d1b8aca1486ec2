"""Parameters in the same array: what has a byte in common is refused, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainstation as ts
from trainstation.optimizers import SGD, functional, stepping

SIZE = 240  # floats of the array that all lie in


def addresses(array):
    """Return the address of each byte, as often as it is used."""
    place = np.full(array.shape, array.__array_interface__["data"][0], np.int64)
    for axis, stride in enumerate(array.strides):
        steps = np.arange(array.shape[axis]) * stride
        place += steps.reshape([-1 if k == axis else 1 for k in range(array.ndim)])
    return (place.reshape(-1, 1) + np.arange(array.itemsize)).reshape(-1).tolist()


def overlap(arrays):
    """Whether a byte is used twice."""
    every = [place for array in arrays for place in addresses(array)]
    return len(every) != len(set(every))


def parameters(arrays):
    made = [ts.Tensor.from_numpy(array).requires_grad_() for array in arrays]
    for k, p in enumerate(made):
        p.grad = np.full(p.shape, k + 1, p.dtype)
    return made


@st.composite
def views(draw):
    """A view of some elements of an array."""
    whole = np.ones(SIZE, np.float32)
    shape = draw(st.sampled_from([(SIZE,), (12, 20), (4, 3, 20), (2, 60, 2)]))
    view = whole.reshape(shape)
    for axis in range(len(shape)):
        begin = draw(st.integers(0, shape[axis] - 1))
        step = draw(st.sampled_from([1, 1, 2, 3, 5]))
        stop = draw(st.integers(begin + 1, shape[axis]))
        view = view[(slice(None),) * axis + (slice(begin, stop, step),)]
    if draw(st.booleans()):
        view = view[::-1]
    if draw(st.booleans()):
        view = view.T
    return view.shape, view.strides, view.__array_interface__["data"][0] - whole.__array_interface__["data"][0]


def placed(whole, views):
    return [np.ndarray(shape, whole.dtype, whole, offset, strides) for shape, strides, offset in views]


@settings(max_examples=150)
@given(st.one_of(st.lists(views(), min_size=1, max_size=4), st.lists(views(), min_size=33, max_size=40)))
def test_drawn_views_are_stepped_if_and_only_if_no_byte_is_in_two(drawn):
    whole = np.ones(SIZE, np.float32)
    arrays = placed(whole, drawn)
    params = parameters(arrays)
    if overlap(arrays):
        with pytest.raises(
            ValueError, match=r"(?s)memory overlaps.*parameter \d+ of group 0.*parameter \d+ of group 0"
        ):
            SGD(params, lr=0.5).step()
        assert (whole == 1).all()
    else:
        SGD(params, lr=0.5).step()
        assert [array.reshape(-1).tolist() for array in arrays] == [
            [0.5 - 0.5 * k] * array.size for k, array in enumerate(arrays)
        ]


def complex_numbers():
    both = np.ones(8, np.complex64) * (1 + 1j)
    return [both.real, both.imag]


def even_and_odd():
    whole = np.ones(16, np.float32)
    return [whole[0::2], whole[1::2]]


def columns():
    return list(np.ones((50, 7), np.float32).T)


def blocks():
    matrix = np.ones((50, 7), np.float32)
    return [matrix[:, :3], matrix[:, 3:]]


def rows_in_turn():
    matrix = np.ones((8, 6), np.float32)
    return [matrix[::2, ::2], matrix[1::2, ::-1]]


@pytest.mark.parametrize("parts", [complex_numbers, even_and_odd, columns, blocks, rows_in_turn])
def test_parts_that_share_no_byte_are_stepped_natively_and_in_functional(parts):
    arrays = parts()
    optimizer = SGD(parameters(arrays), lr=0.5)
    for _ in range(2):
        optimizer.step()
    assert [np.unique(array).tolist() for array in arrays] == [[-float(k)] for k in range(len(arrays))]
    arrays, state = parts(), {}
    for _ in range(2):
        functional.sgd_(arrays, [np.full(a.shape, k + 1, a.dtype) for k, a in enumerate(arrays)], state, lr=0.5)
    assert [np.unique(array).tolist() for array in arrays] == [[-float(k)] for k in range(len(arrays))]


def test_a_thousand_columns_of_one_matrix():
    matrix = np.ones((300, 1000), np.float32)
    SGD(parameters(list(matrix.T)), lr=1.0).step()
    assert np.array_equal(matrix, np.broadcast_to(-np.arange(1000, dtype=np.float32), matrix.shape))
    with pytest.raises(ValueError, match=r"memory overlaps: .*parameter \d+ .* of parameter 1000 "):
        SGD(parameters([*matrix.T, matrix[17]]), lr=1.0).step()


def test_an_array_that_overlaps_itself_is_refused():
    with pytest.raises(ValueError, match="elements lie on top of one another"):
        SGD(parameters([np.lib.stride_tricks.as_strided(np.ones(5, np.float32), (3, 3), (4, 4))])).step()


def test_what_cannot_be_decided_counts_as_overlap(monkeypatch):
    """A wrong step would be worse than a refused one."""
    whole = np.ones(4000, np.float32)
    strides = [(4 * 30, 4 * 5), (4 * 41, 4 * 5)]
    arrays = [np.lib.stride_tricks.as_strided(whole[k:], (5, 5), each) for k, each in enumerate(strides)]
    assert not overlap(arrays)
    monkeypatch.setattr(stepping.overlap, "MOST_WORK", 1)
    with pytest.raises(ValueError, match="memory overlaps"):
        SGD(parameters(arrays), lr=0.5).step()
    assert (whole == 1).all()
    monkeypatch.undo()
    SGD(parameters(arrays), lr=0.5).step()
    assert (arrays[0] == 0.5).all()
