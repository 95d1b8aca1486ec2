"""States kept in 16 or 8 bits: the codes, the bits of a step, and that what is learned does not suffer."""

import copy
import functools
import pickle

import numpy as np
import pytest
from cases import VARIANTS, everything, forked, interpreted, variants, with_gradient

import trainstation as ts
from trainstation import kernels
from trainstation.kernels import BFLOAT16_STATE, BLOCK, EIGHT_BIT_STATE
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop, stored

NARROW = ["bfloat16", "8bit"]
FORMAT = {"bfloat16": BFLOAT16_STATE, "8bit": EIGHT_BIT_STATE}
LEAST = 4096  # elements from which 8 bit begins
narrow = pytest.mark.parametrize("state_dtype", NARROW)
kinds_of_state = pytest.mark.parametrize("kind", ["signed", "positive"])


def drawn(n, kind, seed=0, span=4):
    """Values over so many binades in each block."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(1, 2, n) * 2.0 ** rng.integers(-span, 1, n) * rng.choice([-1.0, 1.0], n)
    return (values if kind == "signed" else np.abs(values)).astype(np.float32)


def through(values, kind, fmt, t, place=0):
    return stored.decode("s", stored.encode("s", values, kind, fmt, t, place), kind, fmt)


# The codes


def neighbours(values, fmt):
    """The codes on both sides of normal values that are well above the least code, toward zero and away from it."""
    dropped = np.uint32((1 << {BFLOAT16_STATE: 16, EIGHT_BIT_STATE: 20}[fmt]) - 1)
    inner = values.view(np.uint32) & ~dropped
    return inner.view(np.float32).astype(np.float64), (inner + dropped + 1).view(np.float32).astype(np.float64)


@kinds_of_state
@narrow
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_rounding_is_to_a_neighbour_and_has_no_bias_over_the_steps(state_dtype, kind, place):
    """Each element's mean over t lies within 6 standard errors of it."""
    fmt, steps = FORMAT[state_dtype], 3000
    values = drawn(2 * BLOCK, kind)
    seen = np.array([through(values, kind, fmt, t, place) for t in range(1, steps + 1)], np.float64)
    inner, outer = neighbours(values, fmt)
    assert ((seen == inner) | (seen == outer)).all()
    share = (values - inner) / (outer - inner)
    error = np.maximum(np.sqrt(share * (1 - share) / steps), 1 / steps)
    assert (np.abs((seen == outer).mean(0) - share) <= 6 * error).all()


@kinds_of_state
@narrow
def test_rounding_has_no_bias_over_the_elements(state_dtype, kind):
    fmt, n = FORMAT[state_dtype], 1 << 16
    for value in np.float32([1.03, 1.3, 1.77, 1.999]):
        values = np.full(n, value)
        inner, outer = (each[0] for each in neighbours(values, fmt))
        for t in (1, 2, 1000):
            seen = through(values, kind, fmt, t).astype(np.float64)
            error = np.sqrt((value - inner) * (outer - value) / n)
            assert abs(seen.mean() - value) <= 6 * error


@narrow
def test_small_signed_values_become_the_least_code_or_zero_and_keep_their_mean(state_dtype):
    fmt, steps = FORMAT[state_dtype], 4000
    values = np.append(drawn(2 * BLOCK - 2, "signed", span=1) * 2.0**-17, [1.0, 1.0]).astype(np.float32)
    values = np.concatenate([values[-1:], values[:-1]])  # one large value in each block
    seen = np.array([through(values, "signed", fmt, t) for t in range(1, steps + 1)], np.float64)
    least = np.abs(seen[seen != 0]).min()
    error = np.sqrt(np.maximum(np.abs(values), 1e-30) * (least if state_dtype == "8bit" else 2.0**-24) / steps)
    assert (np.abs(seen.mean(0) - values) <= 6 * error).all()


@narrow
def test_zero_is_kept_and_a_positive_value_never_becomes_zero(state_dtype):
    fmt = FORMAT[state_dtype]
    tiny = [np.finfo(np.float32).smallest_subnormal, 1e-40, np.finfo(np.float32).tiny, 1e-30, 1e-10, 1.0]
    for largest in (1e-45, 1e-38, 1.0, 1e30, np.finfo(np.float32).max):
        values = np.zeros(BLOCK, np.float32)
        values[1:7], values[9] = np.minimum(tiny, largest), largest
        for t in range(1, 200):
            for place in range(4):
                seen = through(values, "positive", fmt, t, place)
                assert ((seen > 0) == (values > 0)).all()
    assert not through(np.zeros(1000, np.float32), "signed", fmt, 1).any()


@kinds_of_state
@narrow
def test_what_is_not_finite_is_not_hidden(state_dtype, kind):
    values = np.ones(4 * BLOCK, np.float32)
    values[BLOCK], values[2 * BLOCK + 5] = np.nan, np.inf
    for t in range(1, 50):
        seen = through(values, kind, FORMAT[state_dtype], t)
        assert np.isnan(seen[BLOCK])
        assert not np.isfinite(seen[2 * BLOCK + 5])
        assert np.isfinite(seen[:BLOCK]).all()
        assert np.isfinite(seen[3 * BLOCK :]).all()


@kinds_of_state
@narrow
def test_the_numbers_depend_on_the_step_and_the_place(state_dtype, kind):
    values, fmt = drawn(LEAST, kind), FORMAT[state_dtype]
    results = [through(values, kind, fmt, t, place).tobytes() for t in (1, 2, 2**31, 2**40) for place in (0, 1)]
    assert len(set(results)) == 8


def test_neighbours_and_steps_get_unlike_numbers():
    """No step rounds as the one before; each element goes up as often as it should, and so do all of a step."""
    n, steps = 4 * BLOCK, 400
    values = (1.5 + (np.arange(n) % 97 + 0.5) / 97 * 2.0**-7).astype(np.float32)
    up = np.array([through(values, "positive", BFLOAT16_STATE, t) > 1.5 for t in range(1, steps + 1)])
    assert (up[1:] != up[:-1]).any(1).all()
    share = (np.arange(n) % 97 + 0.5) / 97
    error = np.sqrt(share * (1 - share))
    assert (np.abs(up.mean(0) - share) < 6 * error / np.sqrt(steps)).all()
    assert (np.abs(up.mean(1) - share.mean()) < 6 * np.sqrt((error**2).mean() / n)).all()


# A step


def parameters(seed=0, shapes=((70, 70), (3, 5), (), (0, 3), (9001,))):
    rng = np.random.default_rng(seed)
    return [with_gradient(rng.standard_normal(shape), rng.standard_normal(shape)) for shape in shapes]


def run(optimizer, steps):
    for t in steps:
        rng = np.random.default_rng(100 + t)
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = np.asarray(rng.standard_normal(p.data.shape) * 10.0 ** -(t % 4), np.float32)
        optimizer.step()


@pytest.mark.parametrize("max_norm", [None, 1.0])
@narrow
@variants
def test_every_instruction_set_and_update_give_the_same_bits(kind, hyper, state_dtype, max_norm):
    results = []
    for isa, each in [*((isa, kind) for isa in kernels.isas()), (kernels.isas()[0], interpreted(kind))]:
        optimizer = each(parameters(), **hyper, state_dtype=state_dtype, max_grad_norm=max_norm)
        with kernels.use(isa):
            run(optimizer, range(4))
        results.append(everything(optimizer))
    assert all(result == results[0] for result in results)


@narrow
@pytest.mark.parametrize("number", [2, 7])
def test_threads_change_no_bit(threads, state_dtype, number):
    results = []
    for threads_now in (1, number):
        kernels.set_num_threads(threads_now)
        optimizer = Adam(parameters(shapes=((123_457,), (5,), (9000,))), state_dtype=state_dtype)
        run(optimizer, range(3))
        results.append(everything(optimizer))
    assert results[0] == results[1]


@narrow
@variants
def test_a_parameter_that_is_not_contiguous_gives_the_bits_of_one_that_is(kind, hyper, state_dtype):
    ours, theirs = parameters(shapes=((70, 71), (80, 80))), parameters(shapes=((70, 71), (80, 80)))
    ours[0].data = np.asfortranarray(ours[0].data)
    first, second = kind(ours, **hyper, state_dtype=state_dtype), kind(theirs, **hyper, state_dtype=state_dtype)
    for _ in range(3):
        first.step()
        second.step()
    assert everything(first) == everything(second)


@narrow
@variants
def test_a_resumed_run_gives_the_same_bits(kind, hyper, state_dtype):
    whole = kind(parameters(), **hyper, state_dtype=state_dtype)
    run(whole, range(6))
    for k in (0, 1, 3):
        first = kind(parameters(), **hyper, state_dtype=state_dtype)
        run(first, range(k))
        values = [with_gradient(p.data, p.data) for p in first.param_groups[0]["params"]]
        second = kind(values, lr=0.7, state_dtype=state_dtype)
        second.load_state_dict(pickle.loads(pickle.dumps(first.state_dict())))
        run(second, range(k, 6))
        assert everything(second) == everything(whole)


class Plain:
    """A parameter that can be pickled."""

    def __init__(self, n=5000):
        self.data, self.grad = np.linspace(-1, 1, n, dtype=np.float32), np.linspace(2, 1, n, dtype=np.float32)


@narrow
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["copy", "pickle"])
def test_copies_and_pickles_go_on_with_the_same_bits(clone, state_dtype):
    optimizer = Adam([Plain()], state_dtype=state_dtype)
    optimizer.step()
    other = clone(optimizer)
    optimizer.step()
    other.step()
    assert everything(optimizer) == everything(other)


@narrow
def test_a_forked_child_gives_the_same_bits(state_dtype):
    optimizer, other = (Adam(parameters(), state_dtype=state_dtype) for _ in range(2))
    optimizer.step()
    other.step()
    other.step()
    wanted = everything(other)

    def child():
        optimizer.step()
        assert everything(optimizer) == wanted

    assert forked(child) == 0


def dtypes_of(optimizer, p):
    return {name: value.dtype for name, value in optimizer.state[p].items() if name != "step"}


@pytest.mark.parametrize(
    ("kind", "hyper", "exact"),
    [
        *[(kind, hyper, set()) for kind, hyper in VARIANTS if not hyper.get("centered")],
        (RMSprop, {"centered": True}, {"square_avg", "grad_avg"}),
        (RMSprop, {"centered": True, "momentum": 0.9}, {"square_avg", "grad_avg"}),
    ],
)
def test_states_are_kept_as_narrow_as_asked_but_for_those_that_cancel(kind, hyper, exact):
    for state_dtype, code in (("bfloat16", np.uint16), ("8bit", np.uint8)):
        small, large = (
            with_gradient(np.ones(LEAST - 1), np.ones(LEAST - 1)),
            with_gradient(np.ones(LEAST), np.ones(LEAST)),
        )
        optimizer = kind([small, large], **hyper, state_dtype=state_dtype)
        optimizer.step()
        of_large = dtypes_of(optimizer, large)
        names = [name for name in of_large if not name.endswith("_scale")]
        assert of_large == {
            **{name: np.dtype(np.float32 if name in exact else code) for name in names},
            **{f"{name}_scale": np.dtype(np.uint8) for name in names if state_dtype == "8bit" and name not in exact},
        }
        of_small = np.float32 if state_dtype == "8bit" else code
        assert dtypes_of(optimizer, small) == {n: np.dtype(np.float32 if n in exact else of_small) for n in names}


def test_8_bits_take_a_quarter_of_the_memory():
    p = with_gradient(np.ones(100 * BLOCK + 1), np.ones(100 * BLOCK + 1))
    sizes = {}
    for state_dtype in (None, "float32", *NARROW):
        optimizer = Adam([p], state_dtype=state_dtype)
        optimizer.step()
        sizes[state_dtype] = stored.bytes_of(optimizer.state[p])
    n = p.data.size
    assert sizes == {None: 8 * n, "float32": 8 * n, "bfloat16": 4 * n, "8bit": 2 * (n + 101)}


def test_float32_by_name_is_the_default():
    one, other = Adam(parameters(), state_dtype="float32"), Adam(parameters())
    one.step()
    other.step()
    assert everything(one) == everything(other)


@pytest.mark.parametrize("state_dtype", ["float16", "float64", "bf16", 8, np.float32])
def test_an_unknown_state_dtype_is_refused(state_dtype):
    with pytest.raises(ValueError, match="state_dtype is one of None, 'float32', 'bfloat16', '8bit', not"):
        Adam(state_dtype=state_dtype)


@pytest.mark.parametrize("state_dtype", ["float32", *NARROW])
def test_double_parameters_are_refused_by_name(state_dtype):
    p, wide = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0], np.float64)
    with pytest.raises(ValueError, match=r"'wide'.*state_dtype='.*' is for float32"):
        Adam([("p", p), ("wide", wide)], state_dtype=state_dtype)
    optimizer = Adam([p], state_dtype=state_dtype)
    for link in (optimizer.add_parameter, lambda q: optimizer.add_param_group({"params": [q]})):
        with pytest.raises(ValueError, match="state_dtype"):
            link(wide)
    assert optimizer.parameter_count() == 1
    p.data, p.grad = np.ones(1), np.ones(1)
    with pytest.raises(ValueError, match="state_dtype"):
        optimizer.step()
    assert p.data[0] == 1


@pytest.mark.parametrize("saved", [None, *NARROW])
@pytest.mark.parametrize("wanted", [None, *NARROW])
@pytest.mark.parametrize(
    ("kind", "hyper"), [(Adam, {}), (AdamW, {"amsgrad": True}), (SGD, {"momentum": 0.9}), (RMSprop, {"momentum": 0.9})]
)
def test_state_of_another_state_dtype_is_refused_and_nothing_is_changed(kind, hyper, saved, wanted):
    source, p = kind([Plain()], **hyper, state_dtype=saved), Plain()
    source.step()
    optimizer = kind([p], **hyper, state_dtype=wanted)
    optimizer.step()
    before = everything(optimizer)
    if saved == wanted:
        optimizer.load_state_dict(source.state_dict())
        return
    with pytest.raises(ValueError, match="state_dtype"):
        optimizer.load_state_dict(source.state_dict())
    assert everything(optimizer) == before
    optimizer.step()


@narrow
def test_amsgrad_and_momentum_may_be_switched_on_and_off(state_dtype):
    for kind, flag, value in ((Adam, "amsgrad", True), (SGD, "momentum", 0.9), (RMSprop, "momentum", 0.9)):
        results = []
        for each in (kind, interpreted(kind)):
            optimizer = each(parameters(), state_dtype=state_dtype)
            for t in range(6):
                optimizer.param_groups[0][flag] = value if t % 4 >= 2 else type(value)(0)
                run(optimizer, [t])
            results.append(everything(optimizer))
        assert results[0] == results[1]


def test_centering_switched_on_over_narrow_state_is_an_error_that_names_it():
    p = Plain()
    optimizer = RMSprop([p], state_dtype="bfloat16")
    optimizer.step()
    before = everything(optimizer)
    optimizer.param_groups[0]["centered"] = True
    with pytest.raises(ts.ShapeError, match="square_avg"):
        optimizer.step()
    assert everything(optimizer) == before


@narrow
def test_an_authors_optimizer_may_have_a_first_state_that_is_not_zero(state_dtype):
    class Warm(Optimizer):
        states = ("total",)

        def __init__(self, params=None, lr=1.0, **common):
            super().__init__(params, {"lr": lr}, **common)

        def init_state(self, p):
            return {"total": np.full(p.data.shape, 0.5, p.data.dtype)}

        def state_kinds(self, hyper):
            return {"total": "positive"}

        def scalars(self, hyper, t):
            return (hyper["lr"],)

        def update(self, p, g, state, scalars):
            assert state["total"].dtype == p.dtype
            state["total"] += g * g
            p -= scalars[0] * g / np.sqrt(state["total"])

    p, q = with_gradient(np.zeros(LEAST), np.full(LEAST, 2.0)), with_gradient(np.zeros(LEAST), np.full(LEAST, 2.0))
    optimizer = Warm([p], state_dtype=state_dtype)
    optimizer.step()
    Warm([q]).step()
    assert p.data.tobytes() == q.data.tobytes()  # 0.5 is a code
    assert stored.decode("total", optimizer.state[p], "positive", FORMAT[state_dtype]).mean() == pytest.approx(
        4.5, rel=0.01
    )


# What is learned


def second_moment(optimizer, p, name):
    state = optimizer.state[p]
    if state[name].dtype == np.float32:
        return state[name].astype(np.float64)
    fmt = BFLOAT16_STATE if state[name].dtype == np.uint16 else EIGHT_BIT_STATE
    return stored.decode(name, state, "positive", fmt).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "hyper", "name"),
    [
        (Adam, {}, "exp_avg_sq"),
        (AdamW, {}, "exp_avg_sq"),
        (RMSprop, {"alpha": 0.999}, "square_avg"),
        (RMSprop, {"alpha": 0.99, "momentum": 0.9}, "square_avg"),
    ],
)
def test_second_moments_follow_gradients_that_drop_tenfold(kind, hyper, name):
    """Rounded to nearest they would stay where they were. One hot element a block; a third without any gradient."""
    n, rng = 48 * BLOCK, np.random.default_rng(0)
    hot, silent = np.arange(n) % BLOCK == 7, np.arange(n) % 3 == 1
    params = {state_dtype: Plain(n) for state_dtype in (None, *NARROW)}
    optimizers = {key: kind([p], lr=1e-4, **hyper, state_dtype=key) for key, p in params.items()}
    for t in range(4000):
        g = rng.standard_normal(n, np.float32) * np.where(hot, np.float32(1000), np.float32(1))
        if t >= 1000:
            g *= np.float32(0.1)
            g[silent] = 0
        for key, p in params.items():
            p.grad = g
            optimizers[key].step()
    exact = second_moment(optimizers[None], params[None], name)
    for state_dtype in NARROW:
        v = second_moment(optimizers[state_dtype], params[state_dtype], name)
        assert (v > 0).all()
        for part in (~hot & ~silent, hot & ~silent):
            ratio = v[part] / exact[part]
            error = ratio.std() / np.sqrt(part.sum())  # of the few hot ones no mean can be exact
            assert ratio.mean() == pytest.approx(1, abs=max(0.02, 4 * error)), state_dtype
        least = 2.0**-29 * exact.max()  # 31 binades below its block's largest is the least code
        quiet = silent & ~hot  # of the few hot ones the mean is mostly noise
        assert v[quiet].mean() == pytest.approx(exact[quiet].mean(), rel=0.06, abs=least)


@narrow
def test_a_second_moment_that_nothing_feeds_decays_as_it_should(state_dtype):
    n = 1 << 16
    p = with_gradient(np.zeros(n), np.ones(n))
    optimizer = Adam([p], state_dtype=state_dtype)
    optimizer.step()
    p.grad = np.zeros(n, np.float32)
    means = []
    for _ in range(3):
        for _ in range(400):
            optimizer.step()
        means.append(second_moment(optimizer, p, "exp_avg_sq").mean())
    assert means == pytest.approx([0.001 * 0.999 ** (400 * k) for k in (1, 2, 3)], rel=0.02)


@narrow
@pytest.mark.parametrize("momentum", [0.9, 0.99])
def test_a_momentum_that_nothing_feeds_dies_away(state_dtype, momentum):
    n = 1 << 14
    rng = np.random.default_rng(0)
    gradient = rng.standard_normal(n).astype(np.float32)
    ends = {}
    for each in (None, state_dtype):
        p = with_gradient(np.zeros(n), gradient)
        optimizer = SGD([p], lr=1.0, momentum=momentum, state_dtype=each)
        for _ in range(100):
            optimizer.step()
        p.grad = np.zeros(n, np.float32)
        for _ in range(round(60 / (1 - momentum))):
            optimizer.step()
        ends[each] = p.data.astype(np.float64), optimizer.state[p]["momentum_buffer"]
    moved = np.abs(ends[None][0]).mean()
    assert np.abs(ends[state_dtype][0] - ends[None][0]).mean() < 0.2 * moved
    assert ends[state_dtype][0].mean() == pytest.approx(ends[None][0].mean(), abs=0.01 * moved)
    before = ends[state_dtype][0].copy()
    optimizer.step()
    assert np.abs(p.data - before).max() < 1e-6 * moved


@functools.cache
def trained(name, state_dtype, seed):
    from trainstation.bench.problems import PROBLEMS

    task = PROBLEMS["mnist5k_mlp"].start(seed)
    hyper = {"adam": {}, "adamw": {}, "sgd": {"lr": 0.02, "momentum": 0.9}, "rmsprop": {"lr": 1e-3}}[name]
    optimizer = ts.create_optimizer(name, task.parameters(), **hyper, state_dtype=state_dtype)
    losses = []
    for _ in range(2):
        losses = []
        for batch in task.epoch():
            optimizer.zero_grad()
            loss = task.loss(batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return float(np.mean(losses)), task.evaluate()


@narrow
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_an_mlp_learns_as_well_as_with_float32(name, state_dtype):
    """The mean over seeds of last epoch's loss and of accuracy lies within the spread of float32."""
    seeds = range(3)
    exact = np.array([trained(name, None, seed) for seed in seeds])
    narrow = np.array([trained(name, state_dtype, seed) for seed in seeds])
    spread = exact.max(0) - exact.min(0)
    assert (np.abs(narrow.mean(0) - exact.mean(0)) <= spread).all()
    assert narrow[:, 1].min() > 0.85
