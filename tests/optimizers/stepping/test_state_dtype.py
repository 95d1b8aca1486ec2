"""Steps with states kept in 16 or 8 bits: the bits of `update` everywhere, after a resume too."""

import copy
import pickle

import numpy as np
import pytest
from cases import forked
from steps import VARIANTS, everything, interpreted, variants, with_gradient

import trainstation as ts
from trainstation import kernels
from trainstation.kernels import BFLOAT16_STATE, BLOCK, EIGHT_BIT_STATE
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from trainstation.optimizers.stepping import codec

NARROW = ["bfloat16", "8bit"]
FORMAT = {"bfloat16": BFLOAT16_STATE, "8bit": EIGHT_BIT_STATE}
LEAST = 4096  # elements from which 8 bit begins
narrow = pytest.mark.parametrize("state_dtype", NARROW)


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
        sizes[state_dtype] = codec.bytes_of(optimizer.state[p])
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
    assert codec.decode("total", optimizer.state[p], "positive", FORMAT[state_dtype]).mean() == pytest.approx(
        4.5, rel=0.01
    )
