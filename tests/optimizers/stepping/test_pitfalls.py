"""Bugs that others have had (shared/reference/pitfalls.md) and that no other file is about."""

import numpy as np
import pytest
from cases import DEFAULT, FLUSH, TOWARD_ZERO
from steps import both, everything, variants, with_gradient

from trainstation import kernels
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop
from trainstation.optimizers.stepping import codec

every = pytest.mark.parametrize("kind", [Adam, AdamW, SGD, RMSprop])


@both
@pytest.mark.parametrize("layout", ["contiguous", "reversed", "fortran", "repeated", "byte offset"])
@variants
def test_no_flag_writes_to_a_gradient(kind, hyper, layout, wrap):
    """B5: weight decay was added to `.grad`."""
    values = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    gradient = {
        "contiguous": values.copy(),
        "reversed": values.copy()[::-1, ::-1],
        "fortran": np.asfortranarray(values),
        "repeated": np.broadcast_to(np.float32(0.5), (3, 4)),
        "byte offset": np.frombuffer(bytearray(3) + values.tobytes(), np.float32, 12, 3).reshape(3, 4),
    }[layout]
    p = with_gradient(values, values)
    p.grad = gradient
    before = gradient.tobytes()
    optimizer = wrap(kind)([p], **hyper, max_grad_norm=0.5)
    optimizer.step()
    optimizer.step()
    assert gradient.tobytes() == before


@every
@pytest.mark.parametrize("state_dtype", [None, "bfloat16", "8bit"])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4), (70, 70), (17, 17, 17), (1, 4097), (4097, 1)])
def test_every_element_of_every_dimension_moves(kind, state_dtype, shape):
    """B7: a kernel took the first dimension for the number of elements."""
    p = with_gradient(np.ones(shape), np.ones(shape))
    kind([p], lr=0.1, state_dtype=state_dtype).step()
    assert (p.data < 1).all()


@both
@every
@pytest.mark.parametrize("empty", [(0,), (3, 0), (0, 5)])
def test_an_empty_parameter_anywhere_stops_no_other(kind, empty, wrap):
    """B8: an empty tensor at the end made the whole group stay."""
    for place in range(3):
        shapes = [(4,), (2, 2)]
        shapes.insert(place, empty)
        params = [with_gradient(np.ones(shape), np.ones(shape)) for shape in shapes]
        optimizer = wrap(kind)(params, lr=0.1)
        optimizer.step()
        assert all((p.data < 1).all() for p in params)
        assert [int(optimizer.state[p]["step"]) for p in params] == [1, 1, 1]


@both
def test_equal_parameters_in_several_groups_stay_equal(wrap):
    """B9: the powers of beta drifted apart between parts of one step."""
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((300, 7)).astype(np.float32)
    params = [with_gradient(np.ones(7), np.ones(7)) for _ in range(4)]
    late = with_gradient(np.ones(7), np.ones(7))
    optimizer = wrap(Adam)([{"params": params[:1]}, {"params": params[1:3]}, {"params": params[3:]}])
    for t, g in enumerate(gradients):
        if t == 100:
            optimizer.add_parameter(late)
        for p in (*params, late):
            p.grad = g
        optimizer.step()
    assert len({p.data.tobytes() for p in params}) == 1
    assert optimizer.state[late]["step"] == 200
    alone = with_gradient(np.ones(7), np.ones(7))
    single = wrap(Adam)([alone])
    for g in gradients[100:]:
        alone.grad = g
        single.step()
    assert late.data.tobytes() == alone.data.tobytes()


@pytest.mark.parametrize("state_dtype", [None, "bfloat16", "8bit"])
def test_neighbouring_betas_give_different_moments(state_dtype):
    """B15: 0.999 became 0.996 in bfloat16. After t steps v is about (1 - beta2) * t."""
    means = {}
    for beta2 in (0.999, 0.9999):
        p = with_gradient(np.zeros(1 << 14), np.ones(1 << 14))
        optimizer = Adam([p], betas=(0.9, beta2), state_dtype=state_dtype)
        for _ in range(10):
            optimizer.step()
        fmt = codec.format_of(state_dtype, p.data, ["positive"])
        v = optimizer.state[p]["exp_avg_sq"]
        v = codec.decode("exp_avg_sq", optimizer.state[p], "positive", fmt) if v.dtype != np.float32 else v
        means[beta2] = v.mean(dtype=np.float64)
    assert means == pytest.approx({beta2: 1 - beta2**10 for beta2 in means}, rel=0.05)


@every
@both
def test_scalars_are_doubles_that_are_rounded_once(kind, wrap):
    """B15: what `update` gets is the double of `scalars`, rounded to the dtype of the values."""
    seen = []

    class Watching(wrap(kind)):
        rule = None

        def update(self, p, g, state, scalars):
            seen.append(scalars)
            super().update(p, g, state, scalars)

    optimizer = Watching([with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0], np.float64)], lr=0.1)
    optimizer.step()
    exact = optimizer.scalars(optimizer.param_groups[0], 1)
    assert seen == [tuple(map(np.float32, exact)), tuple(exact)]
    assert [type(x) for x in seen[0]] == [np.float32] * len(exact)
    assert [type(x) for x in seen[1]] == [np.float64] * len(exact)


@both
@pytest.mark.parametrize("state_dtype", [None, "bfloat16", "8bit"])
@variants
def test_gradients_that_are_zero_from_the_start_keep_the_values_finite(kind, hyper, state_dtype, wrap):
    """B28: 0 / 0."""
    p = with_gradient(np.ones(4100), np.zeros(4100))
    optimizer = wrap(kind)([p], **hyper, state_dtype=state_dtype)
    for _ in range(3):
        optimizer.step()
    assert np.isfinite(p.data).all()


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", [FLUSH, TOWARD_ZERO], ids=["flush to zero", "toward zero"])
@variants
def test_the_callers_floating_point_mode_changes_no_bit_of_a_whole_step(kind, hyper, mode, dtype, wrap):
    """B21: another library has changed it for the whole process."""
    tiny = np.finfo(np.float32).smallest_subnormal

    def run(mode):
        params = [with_gradient(np.linspace(-1, 1, 99), np.linspace(1, 3, 99), dtype)]
        params.append(with_gradient(tiny * np.arange(49), tiny * np.arange(49)[::-1], dtype))
        made = wrap(kind)(params, **hyper, lr=0.1, max_grad_norm=0.7)
        default = kernels.default_fp_mode()
        kernels.restore_fp_mode(mode)
        try:
            for _ in range(3):
                made.step()
            after = kernels.default_fp_mode()
        finally:
            kernels.restore_fp_mode(default)
        assert after & ~0x3F == mode & ~0x3F  # but for what arithmetic has noted
        return everything(made), made.last_step

    assert run(mode) == run(DEFAULT)
