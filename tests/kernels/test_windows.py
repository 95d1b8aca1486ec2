"""Windows in C: against sums written out, and the same bits on any number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainstation import kernels
from trainstation.kernels import Axis, Windows

DTYPES = [np.float32, np.float64]
axes = st.builds(
    lambda out, kernel, stride, padding, dilation, less: Axis(
        max((out - 1) * stride + (kernel - 1) * dilation + 1 - padding - less, 1),
        out,
        kernel,
        stride,
        padding,
        dilation,
    ),
    *(st.integers(1, 4) for _ in range(3)),
    st.integers(0, 5),
    st.integers(1, 3),
    st.integers(0, 5),
)
few = st.integers(1, 3)
samples = st.tuples(st.integers(0, 3), few)  # blocks of so many together


def places(axis):
    """Where each window's each place is, -1 outside: (kernel, out)."""
    at = np.arange(axis.kernel)[:, None] * axis.dilation - axis.padding + np.arange(axis.out) * axis.stride
    return np.where((at >= 0) & (at < axis.size), at, -1)


def unfolded(x, axes):
    """Take by index from a block with a zero at the end of each dimension: (channels, kernel, together, out)."""
    x = np.pad(x, [(0, 0), (0, 0), *((0, 1) for _ in axes)])
    x = x[:, :, places(axes[0])]
    if len(axes) == 1:
        return x.transpose(1, 2, 0, 3)
    return x[..., places(axes[1])].transpose(1, 2, 4, 0, 3, 5)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=200)
@given(samples=samples, channels=few, axes=st.lists(axes, min_size=1, max_size=2))
def test_unfold_takes_what_each_window_sees_and_fold_is_its_transpose(dtype, samples, channels, axes):
    blocks, together = samples
    shape = (blocks * together, channels, *(axis.size for axis in axes))
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)
    windows = Windows(shape, blocks * together, channels, axes, together)
    expected = [unfolded(block, axes) for block in x.reshape(blocks, together, *shape[1:])]
    columns = windows.unfold(x, (blocks, *unfolded(np.zeros((together, *shape[1:])), axes).shape))
    assert columns.dtype == dtype
    assert len(columns) == blocks
    assert all(map(np.array_equal, columns, expected))
    other = np.random.default_rng(1).integers(-9, 9, columns.shape).astype(dtype)
    assert (windows.fold(other) * x).sum() == (other * columns).sum()  # integers: exactly


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=50)
@given(samples=samples, channels=few, size=st.integers(1, 40) | st.integers(250, 550), with_bias=st.booleans())
def test_spread_and_gather_exchange_samples_and_channels(dtype, samples, channels, size, with_bias):
    blocks, together = samples
    n = blocks * together
    rows = np.random.default_rng(0).integers(-9, 9, (blocks, channels, together, size)).astype(dtype)
    bias = np.arange(channels, dtype=dtype)
    value = kernels.spread(rows, bias if with_bias else None, (n, channels, size), n, channels, together)
    exchanged = rows.swapaxes(1, 2).reshape(n, channels, size)
    assert np.array_equal(value, exchanged + (bias[:, None] if with_bias else 0))
    sums = np.full(channels, np.nan, dtype) if with_bias else None
    assert np.array_equal(kernels.gather(exchanged, rows.shape, n, channels, together, sums), rows)
    if sums is not None:
        assert np.array_equal(sums, exchanged.sum((0, 2)))


def test_sums_of_many_numbers_keep_their_digits():
    g = np.full((64, 1, 5000), 0.1, np.float32)
    sums = np.empty(1, np.float32)
    kernels.gather(g, g.shape, 64, 1, 64, sums)
    assert sums[0] == pytest.approx(float(g[0, 0, 0]) * g.size, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_are_the_same_on_any_number_of_threads(threads, dtype):
    n = 30
    rng = np.random.default_rng(0)
    axes = [Axis(size=27, out=14, kernel=3, stride=2, padding=1) for _ in range(2)]
    windows = Windows((n, 7, 27, 27), n, 7, axes, n)
    x, g = (rng.standard_normal((n, 7, size, size)).astype(dtype) for size in (27, 14))
    results = []
    for number in (1, 2, 3, 8):
        kernels.set_num_threads(number)
        columns = windows.unfold(x, (7, 9, n, 14 * 14))
        largest, at = windows.max_pool(x)
        sums = np.empty(7, dtype)
        rows = kernels.gather(g, (7, n, 14 * 14), n, 7, n, sums)
        means = [windows.avg_pool(x, counts_padding=counts) for counts in (False, True)]
        grads = [windows.avg_pool_grad(g, counts_padding=counts) for counts in (False, True)]
        exchanged = [rows, sums, kernels.spread(rows, sums, g.shape, n, 7, n)]
        results.append(
            [columns, windows.fold(columns), largest, at, windows.max_pool_grad(g, at), *means, *grads, *exchanged]
        )
    assert g.size >= 1 << 15  # or one thread does it all
    for other in results[1:]:
        assert [a.tobytes() for a in other] == [a.tobytes() for a in results[0]]
