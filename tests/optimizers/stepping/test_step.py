"""What a step does, decision by decision."""

import copy
import gc
import pickle
import tracemalloc
import warnings
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

ALL = [Adam, AdamW, SGD, RMSprop]
VARIANTS = [
    (Adam, {}),
    (Adam, {"weight_decay": 0.1, "amsgrad": True}),
    (AdamW, {"weight_decay": 0.1, "maximize": True}),
    (AdamW, {"amsgrad": True}),
    (SGD, {}),
    (SGD, {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    (SGD, {"momentum": 0.9, "nesterov": True, "maximize": True}),
    (RMSprop, {"weight_decay": 0.1}),
    (RMSprop, {"centered": True, "momentum": 0.9, "maximize": True}),
]
variants = pytest.mark.parametrize(("kind", "hyper"), VARIANTS)


def parameter(values, dtype=np.float32):
    return ts.tensor(np.array(values, dtype), requires_grad=True)


def with_gradient(values, gradient, dtype=np.float32):
    p = parameter(values, dtype)
    p.grad = np.array(gradient, dtype)
    return p


def interpreted(kind):
    """The same optimizer without its compiled rule."""
    return type(kind.__name__, (kind,), {"rule": None})


def everything(optimizer):
    """All bytes that a step may change."""
    return [
        (p.data.tobytes(), {name: np.asarray(s).tobytes() for name, s in optimizer.state.get(p, {}).items()})
        for group in optimizer.param_groups
        for p in group["params"]
    ]


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_compiled_steps_equal_update_bit_for_bit(data):
    kind, hyper = data.draw(st.sampled_from(VARIANTS))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    shapes = data.draw(st.lists(st.sampled_from([(), (1,), (0, 3), (7,), (3, 5), (2, 1, 9), (130,)]), min_size=1))
    seed = data.draw(st.integers(0, 2**32 - 1))
    isa = data.draw(st.sampled_from(kernels.isas()))

    def run(cls):
        rng = np.random.default_rng(seed)
        params = [parameter(rng.standard_normal(shape), dtype) for shape in shapes]
        half = len(params) // 2
        groups = [{"params": params[half:]}, {"params": params[:half], "lr": 0.3}]
        optimizer = cls(groups, **hyper)
        for _ in range(4):
            for p in params:
                p.grad = rng.standard_normal(p.shape).astype(dtype) if rng.random() < 0.8 else None
            if any(p.grad is not None for p in params):
                optimizer.step()
        return everything(optimizer)

    with kernels.use(isa):
        assert run(kind) == run(interpreted(kind))


@variants
def test_gradients_keep_their_bytes(kind, hyper):
    p = with_gradient([[1, -2, 3], [0, 5, -6]], [[1, 2, -3], [-0.0, 0.5, 6]])
    before = p.grad.data.tobytes()
    optimizer = kind([p], **hyper)
    optimizer.step()
    optimizer.step()
    assert p.grad.data.tobytes() == before


@variants
def test_lr_0_leaves_the_values_and_advances_the_rest(kind, hyper):
    p = with_gradient([1.5, -2.5, 1e-30], [1, -2, 3])
    before = p.data.copy()
    optimizer = kind([p], **{**hyper, "lr": 0})
    optimizer.step()
    assert np.array_equal(p.data, before)
    assert optimizer.state[p]["step"] == 1


@variants
def test_maximize_is_minimizing_the_negated_gradient(kind, hyper):
    g = np.array([1, -2, 3], np.float32)
    up, down = with_gradient([4, 5, 6], g), with_gradient([4, 5, 6], -g)
    maximizing = kind([up], **{**hyper, "maximize": True})
    minimizing = kind([down], **{**hyper, "maximize": False})
    for _ in range(3):
        maximizing.step()
        minimizing.step()
    assert up.data.tobytes() == down.data.tobytes()


def test_maximize_with_a_zero_gradient_still_decays():
    p = with_gradient([4, -5], [0, 0])
    AdamW([p], lr=0.1, weight_decay=0.5, maximize=True).step()
    assert np.allclose(p.data, [3.8, -4.75], rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_the_first_step_is_lr_times_the_sign_of_the_gradient(kind):
    p = with_gradient([0, 0, 0], [1e-3, -5, 1e20], np.float64)
    kind([p], lr=0.1, eps=1e-12).step()
    assert np.allclose(p.data, [-0.1, 0.1, -0.1], rtol=1e-8, atol=0)


def test_adamw_decay_is_multiplied_by_lr():
    moved = []
    for lr in (0.1, 0.05):
        p = with_gradient([1.0], [0.0], np.float64)
        AdamW([p], lr=lr, weight_decay=0.5).step()
        moved.append(1 - p.data[0])
    assert moved[0] == pytest.approx(2 * moved[1], rel=1e-12)


def test_adams_eps_stands_outside_the_corrected_root():
    p = with_gradient([0.0], [1e-10], np.float64)
    Adam([p], lr=1.0, eps=1e-8).step()
    assert p.data[0] == pytest.approx(-1e-10 / (1e-10 + 1e-8), rel=1e-9)


def test_amsgrad_keeps_the_maximum_of_the_raw_second_moment():
    p = with_gradient([0.0], [10.0], np.float64)
    optimizer = Adam([p], amsgrad=True)
    optimizer.step()
    largest = float(optimizer.state[p]["exp_avg_sq"][0])
    p.grad = np.array([0.0])
    optimizer.step()
    assert optimizer.state[p]["max_exp_avg_sq"][0] == largest
    assert optimizer.state[p]["exp_avg_sq"][0] < largest


def test_sgd_does_not_dampen_the_first_step():
    p = with_gradient([0.0], [2.0], np.float64)
    optimizer = SGD([p], lr=1.0, momentum=0.5, dampening=0.25)
    optimizer.step()
    assert optimizer.state[p]["momentum_buffer"][0] == 2.0
    optimizer.step()
    assert optimizer.state[p]["momentum_buffer"][0] == 0.5 * 2.0 + 0.75 * 2.0


def test_sgd_without_momentum_has_no_buffer():
    p = with_gradient([0.0], [2.0])
    optimizer = SGD([p])
    optimizer.step()
    assert set(optimizer.state[p]) == {"step"}


def test_centered_rmsprop_stays_finite_where_rounding_makes_the_variance_negative():
    p = with_gradient(np.zeros(1000), np.linspace(0.1, 3, 1000))
    optimizer = RMSprop([p], centered=True, alpha=0.5)
    for _ in range(200):
        optimizer.step()
    state = optimizer.state[p]
    assert (state["square_avg"] - state["grad_avg"] ** 2 <= 0).any()
    assert np.isfinite(p.data).all()


def test_an_infinite_value_stays_infinite_without_decay():
    p = with_gradient([np.inf, -np.inf], [1, 1])
    Adam([p]).step()
    assert np.array_equal(p.data, [np.inf, -np.inf])


@pytest.mark.parametrize("kind", ALL)
def test_step_skips_what_has_no_gradient_and_touches_nothing_of_it(kind):
    p, frozen = with_gradient([1.0], [1.0]), parameter([2.0])
    optimizer = kind([p, frozen], lr=0.1, weight_decay=0.5)
    optimizer.step()
    assert frozen.data[0] == 2.0
    assert frozen not in optimizer.state
    assert p.data[0] != 1.0


def test_a_parameter_with_a_gradient_every_second_step_counts_its_own_steps():
    p, q, alone = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    both, single = Adam([p, q]), Adam([alone])
    for t in range(6):
        q.grad = np.array([1.0 + t], np.float32) if t % 2 else None
        both.step()
        if t % 2:
            alone.grad = np.array([1.0 + t], np.float32)
            single.step()
    assert both.state[p]["step"] == 6
    assert both.state[q]["step"] == 3
    assert q.data.tobytes() == alone.data.tobytes()


def test_a_parameter_linked_late_starts_at_1():
    p, late, fresh = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    optimizer = Adam([p])
    for _ in range(5):
        optimizer.step()
    optimizer.add_parameter(late)
    optimizer.step()
    Adam([fresh]).step()
    assert late.data.tobytes() == fresh.data.tobytes()


def test_one_warning_if_no_parameter_has_a_gradient():
    optimizer = Adam([parameter([1.0])])
    with pytest.warns(ts.NoGradientWarning, match="backward") as caught:
        [optimizer.step(), optimizer.step()]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    [copy.deepcopy(optimizer).step(), pickle.loads(pickle.dumps(optimizer)).step()]  # which were warned with it


def test_an_optimizer_without_parameters_steps_in_vain():
    with pytest.warns(ts.NoGradientWarning):
        Adam().step()


def test_a_list_steps_exactly_these():
    p, q = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    SGD([p, q], lr=0.5).step([q])
    assert (p.data[0], q.data[0]) == (1.0, 0.5)


def test_an_empty_list_steps_nothing():
    p = with_gradient([1.0], [1.0])
    SGD([p], lr=0.5).step([])
    assert p.data[0] == 1.0


def test_a_closure_runs_with_gradients_on_and_its_loss_is_returned():
    p = parameter([3.0])
    optimizer = SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ts.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 9.0
    assert p.data[0] == 1.5


def test_a_closure_may_step_its_own_optimizer_once_more():
    p = with_gradient([1.0], [1.0])
    optimizer = SGD([p], lr=0.25)
    optimizer.step(optimizer.step)
    assert p.data[0] == 0.5


@pytest.mark.parametrize("lr", [np.float32(0.1), np.float16(0.1), np.array(0.1, np.float32)[()]])
@pytest.mark.parametrize("kind", ALL)
def test_a_rate_in_single_precision_is_taken_as_the_number_that_it_is(kind, lr):
    p, q = with_gradient([1.0], [0.3], np.float64), with_gradient([1.0], [0.3], np.float64)
    kind([p], lr=lr).step()
    kind([q], lr=float(lr)).step()
    assert p.data.tobytes() == q.data.tobytes()


def test_a_subclass_of_an_array_is_stepped_as_an_array():
    p, q = with_gradient(np.ones((2, 2)), np.ones((2, 2))), with_gradient(np.ones((2, 2)), np.ones((2, 2)))
    p.data = p.data.view(type("Scaled", (np.ndarray,), {"__mul__": lambda self, other: 1 / 0, "__rmul__": None}))
    for each in (p, q):
        RMSprop([each], weight_decay=0.5).step()
    assert p.data.tobytes() == q.data.tobytes()


@pytest.mark.parametrize("kind", ALL)
def test_empty_single_and_0d_parameters_are_valid_and_neighbours_move(kind):
    params = [with_gradient(np.ones(s), np.ones(s)) for s in [(0,), (3, 0), (), (1,), (4,), (0,)]]
    kind(params, lr=0.1).step()
    for p in params:
        assert (p.data < 1).all()


@variants
@pytest.mark.parametrize("layout", ["every second", "reversed", "transposed", "fortran", "byte offset"])
def test_other_memory_layouts_give_the_bits_of_a_contiguous_one(kind, hyper, layout):
    values = np.arange(24, dtype=np.float32).reshape(4, 6) / 7 - 1
    views = {
        "every second": lambda: np.zeros((4, 12), np.float32)[:, ::2],
        "reversed": lambda: np.zeros((4, 6), np.float32)[::-1, ::-1],
        "transposed": lambda: np.zeros((6, 4), np.float32).T,
        "fortran": lambda: np.zeros((4, 6), np.float32, order="F"),
        "byte offset": lambda: np.frombuffer(bytearray(101), np.float32, 24, 5).reshape(4, 6),
    }
    p, q = ts.Tensor.from_numpy(views[layout]()), ts.Tensor.from_numpy(values.copy())
    p.data[...] = values
    p.grad, q.grad = views[layout](), values[::-1].copy()
    p.grad.data[...] = values[::-1]
    first, second = kind([p], **hyper), kind([q], **hyper)
    for _ in range(3):
        first.step()
        second.step()
    assert np.ascontiguousarray(p.data).tobytes() == q.data.tobytes()


def test_a_gradient_that_repeats_one_number_is_exact():
    p, q = parameter(np.ones(9)), with_gradient(np.ones(9), np.full(9, 0.5))
    p.grad = np.broadcast_to(np.float32(0.5), (9,))
    Adam([p]).step()
    Adam([q]).step()
    assert p.data.tobytes() == q.data.tobytes()


def test_writing_a_group_takes_effect_at_once():
    p = with_gradient([1.0], [1.0])
    optimizer = SGD([p], lr=0.5)
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.data[0] == 0.75


def test_amsgrad_may_be_switched_on_and_off():
    p, q = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    for kind, each in ((Adam, p), (interpreted(Adam), q)):
        optimizer = kind([each])
        for t in range(6):
            optimizer.param_groups[0]["amsgrad"] = t % 4 >= 2
            each.grad = np.array([5.0 - t], np.float32)
            optimizer.step()
        assert "max_exp_avg_sq" in optimizer.state[each]
    assert p.data.tobytes() == q.data.tobytes()


def test_lr_scale_multiplies_the_rate_of_its_group():
    p, q = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    optimizer = SGD([{"params": [p], "lr_scale": 0.5}, {"params": [q]}], lr=0.5)
    optimizer.step()
    assert (p.data[0], q.data[0]) == (0.75, 0.5)
    assert optimizer.learning_rate() == 0.5


def test_replaced_arrays_are_noticed():
    p = with_gradient([1.0, 2.0], [1.0, 1.0])
    optimizer = SGD([p], lr=0.5)
    optimizer.step()
    old = p.data
    p.data = np.array([10.0, 20.0], np.float32)
    p.grad.data = np.array([2.0, 2.0], np.float32)
    optimizer.step()
    assert np.array_equal(p.data, [9.0, 19.0])
    assert np.array_equal(old, [0.5, 1.5])


def test_a_replaced_state_is_noticed():
    p, q = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    first, second = Adam([p]), Adam([q])
    for _ in range(2):
        first.step()
        second.step()
    first.state[p]["exp_avg"] = np.array([5.0], np.float32)
    first.state[p]["step"] = 40
    second.state[q]["exp_avg"][...] = 5.0
    second.state[q]["step"][...] = 40
    first.step()
    second.step()
    assert p.data.tobytes() == q.data.tobytes()
    assert first.state[p]["step"] == second.state[q]["step"] == 41


def test_arrays_that_the_table_knows_cannot_be_resized():
    p = with_gradient(np.ones(8), np.ones(8))
    optimizer = Adam([p])
    optimizer.step()
    for array in (p.data, optimizer.state[p]["exp_avg"]):
        with pytest.raises(ValueError, match="resize"):
            array.resize(1 << 20, refcheck=False)


def test_a_gradient_that_was_resized_does_not_fit():
    p = with_gradient(np.ones(8), np.ones(8))
    optimizer = Adam([p])
    optimizer.step()
    p.grad.data.resize(4, refcheck=False)
    with pytest.raises(ts.ShapeError, match="gradient has shape"):
        optimizer.step()
    p.grad.data.resize(8, refcheck=False)
    optimizer.step()
    assert optimizer.state[p]["step"] == 2


def test_a_forgotten_gradient_is_not_kept_alive():
    p = with_gradient(np.ones(8), np.ones(8))
    optimizer = Adam([p])
    optimizer.step()
    watched = weakref.ref(p.grad.data)
    p.grad = None
    p.grad = np.ones(8, np.float32)
    optimizer.step()
    gc.collect()
    assert watched() is None


def test_a_forgotten_optimizer_keeps_no_gradient_alive():
    p = with_gradient(np.ones(8), np.ones(8))
    Adam([p]).step()
    watched = weakref.ref(p.grad.data)
    p.grad = None
    gc.collect()
    assert watched() is None


def test_a_gradient_that_somebody_holds_is_not_written_again():
    p = parameter(np.ones(8))
    optimizer = Adam([p])
    for _ in range(2):
        (p * p).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    (p * p).sum().backward()
    kept, seen = p.grad.data[:4], p.grad.data[:4].copy()
    optimizer.zero_grad()
    (p * 100).sum().backward()
    assert np.array_equal(kept, seen)
    optimizer.step()
    kept, seen = p.grad.data[2:], p.grad.data[2:].copy()
    optimizer.zero_grad()
    (p * 7).sum().backward()
    assert np.array_equal(kept, seen)


def test_the_gradient_buffer_is_reused_after_zero_grad():
    p = parameter(np.ones(8))
    optimizer = Adam([p])
    addresses = set()
    for _ in range(3):
        optimizer.zero_grad()
        assert p.grad is None
        (p * p).sum().backward()
        optimizer.step()
        addresses.add(kernels.address(p.grad.data))
    assert len(addresses) == 1


def test_a_step_bumps_the_version():
    p = parameter([2.0])
    optimizer = SGD([p], lr=0.1)
    loss = (p * p).sum()
    p.grad = np.ones(1, np.float32)
    optimizer.step()
    with pytest.raises(ts.GraphError, match="modified in place"):
        loss.backward()


def test_zero_grad_between_forward_and_backward_does_no_harm():
    p = parameter([2.0])
    optimizer = SGD([p])
    loss = (p * p).sum()
    optimizer.zero_grad()
    loss.backward()
    assert p.grad.data[0] == 4.0


def test_zero_grad_touches_only_its_own_parameters():
    p, other = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    SGD([p]).zero_grad()
    assert p.grad is None
    assert other.grad is not None


def test_zero_grad_can_fill_with_zeros_or_take_a_list():
    p, q = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    optimizer = SGD([p, q])
    optimizer.zero_grad(set_to_none=False)
    assert (p.grad.data[0], q.grad.data[0]) == (0.0, 0.0)
    optimizer.zero_grad([q])
    assert p.grad is not None
    assert q.grad is None


def warm_peak(kind, sizes):
    """The traced peak of memory in a step whose arrays are those of the last."""
    params = [with_gradient(np.ones(n), np.ones(n)) for n in sizes]
    optimizer = kind(params)
    optimizer.step()
    optimizer.step()
    gc.collect()
    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("kind", ALL)
def test_a_warm_step_allocates_nothing_that_grows_with_the_parameters(kind):
    assert abs(warm_peak(kind, [3] * 10_000) - warm_peak(kind, [3] * 10)) < 1024


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_a_compiled_warm_step_allocates_nothing_that_grows_with_the_elements(kind):
    assert abs(warm_peak(kind, [1_000_000]) - warm_peak(kind, [10])) < 1024


def test_counters_written_by_hand_are_heeded():
    params = [with_gradient([1.0], [1.0]) for _ in range(3)]
    optimizer, alone = Adam(params), [Adam([with_gradient([1.0], [1.0])]) for _ in range(3)]
    for _ in range(2):
        optimizer.step()
    optimizer.state[params[1]]["step"][...] = 40
    optimizer.step()
    for each, t in zip(alone, (3, 41, 3), strict=True):
        (p,) = each.param_groups[0]["params"]
        each.step()
        each.step()
        each.state[p]["step"][...] = t - 1
        each.step()
    assert [p.data.tobytes() for p in params] == [o.param_groups[0]["params"][0].data.tobytes() for o in alone]
    assert [int(optimizer.state[p]["step"]) for p in params] == [3, 41, 3]


def test_an_author_writes_two_methods_and_gets_the_rest():
    class Signed(Optimizer):
        states = ("count",)

        def __init__(self, params=None, lr=0.5):
            super().__init__(params, {"lr": lr})

        def scalars(self, hyper, t):
            return hyper["lr"], t

        def update(self, p, g, state, scalars):
            lr, t = scalars
            assert not g.flags.writeable
            assert type(lr) is p.dtype.type
            state["count"] += t
            p -= lr * np.sign(g)

    p = with_gradient([1.0, 1.0], [3.0, -3.0], np.float64)
    optimizer = Signed([p])
    optimizer.step()
    optimizer.step()
    assert np.array_equal(p.data, [0.0, 2.0])
    assert np.array_equal(optimizer.state[p]["count"], [3.0, 3.0])
    optimizer.param_groups[0]["maximize"] = True
    optimizer.step()
    assert np.array_equal(p.data, [0.5, 1.5])


def test_an_author_may_have_state_of_another_shape_and_prepare_a_step():
    class Rows(Optimizer):
        def __init__(self, params=None, lr=1.0):
            super().__init__(params, {"lr": lr})
            self.prepared = []

        def init_state(self, p):
            return {"rows": np.zeros(p.data.shape[0])}

        def prepare(self, active):
            self.prepared.append(len(active))

        def scalars(self, hyper, t):
            return (hyper["lr"],)

        def update(self, p, g, state, scalars):
            state["rows"] += g.sum(axis=1)
            p -= scalars[0] * state["rows"][:, None]

    p, q = with_gradient(np.ones((2, 3)), np.ones((2, 3)), np.float64), with_gradient([[1.0]], [[0.0]], np.float64)
    optimizer = Rows([p, q])
    optimizer.step()
    assert optimizer.prepared == [2]
    assert np.array_equal(p.data, np.full((2, 3), -2.0))
    copy = Rows([p, q])
    copy.load_state_dict(optimizer.state_dict())
    assert np.array_equal(copy.state[p]["rows"], [3.0, 3.0])


def test_an_error_in_update_names_the_parameter_and_keeps_the_earlier_ones():
    class Fragile(SGD):
        def update(self, p, g, state, scalars):
            if p.size == 2:
                raise ZeroDivisionError
            super().update(p, g, state, scalars)

    p, bad, later = (with_gradient(np.ones(n), np.ones(n)) for n in (1, 2, 3))
    optimizer = Fragile([("first", p), ("second", bad), ("third", later)], lr=0.5)
    with pytest.raises(ZeroDivisionError) as caught:
        optimizer.step()
    assert "'second'" in caught.value.__notes__[0]
    assert p.data[0] == 0.5
    assert (later.data == 1).all()
    assert optimizer.state[p]["step"] == 1
    assert later not in optimizer.state


def test_numpys_warnings_stay_inside():
    p = with_gradient([1e38, 1.0], [1e38, np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ALL:
            interpreted(kind)([p], lr=1e10).step()


def test_plain_objects_with_data_and_grad_are_parameters():
    class Plain:
        def __init__(self):
            self.data, self.grad = np.ones(3, np.float32), np.ones(3, np.float32)

    p = Plain()
    SGD([p], lr=0.5).step()
    assert np.array_equal(p.data, [0.5] * 3)


class _Slow(Optimizer):
    states = ("momentum_buffer",)

    def __init__(self, params=None, lr=0.5):
        self.base = SGD(None, lr=lr)
        super().__init__(params, {"lr": lr})

    def init_state(self, p):
        return {"momentum_buffer": np.zeros_like(p.data), "slow": p.data.copy()}

    def scalars(self, hyper, t):
        return [hyper["lr"]]

    def update(self, p, g, state, scalars):
        p -= scalars[0] * g
        state["slow"] += (p - state["slow"]) / 2


def test_a_wrapper_has_its_own_states():
    p = with_gradient([1.0], [1.0])
    optimizer = _Slow([p])
    optimizer.step()
    assert (p.data[0], optimizer.state[p]["slow"][0]) == (0.5, 0.75)


def test_an_author_may_call_an_attribute_like_one_of_former_versions():
    p = with_gradient([1.0], [1.0])
    optimizer = SGD([p], lr=0.5)
    optimizer._last = None
    optimizer.step()
    assert copy.deepcopy(optimizer)._last is None
