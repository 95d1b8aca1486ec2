"""Schedule-free AdamW and SGD: equal to the authors' package in both modes, and never between them."""

import copy
import pickle

import numpy as np
import pytest
import schedulefree

import trainstation as ts
from trainstation.testing import check_reference

ADAMW = {"lr": 0.0025, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
SGD = {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.0}
COMMON = [
    {},
    {"weight_decay": 0.1},
    {"warmup_steps": 30, "weight_decay": 0.01},
    {"warmup_steps": 30, "r": 1.5, "weight_lr_power": 1.0},
    {"weight_lr_power": 0.0, "r": 0.5},
    {"lr": 0.0},
]
CASES = [
    *(("schedulefree_adamw", schedulefree.AdamWScheduleFree, {**ADAMW, **more}) for more in COMMON),
    ("schedulefree_adamw", schedulefree.AdamWScheduleFree, {**ADAMW, "betas": (0.6, 0.95), "eps": 1e-3}),
    *(("schedulefree_sgd", schedulefree.SGDScheduleFree, {**SGD, **more}) for more in COMMON),
    ("schedulefree_sgd", schedulefree.SGDScheduleFree, {**SGD, "momentum": 0.3}),
]
BOTH = ["schedulefree_adamw", "schedulefree_sgd"]


class Trained:
    """A reference begins in eval mode, ours to train."""

    def step(self, closure=None):
        self.train()
        return super().step(closure)


class Averaged(Trained):
    """Shows the averaged weights after each step, and has a rate that falls."""

    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            group["lr"] *= 0.98
        self.eval()


@pytest.fixture
def averaged():
    """Register optimizers of ours that show the averaged weights."""
    for name in BOTH:
        ts.register_optimizer(type("Shown", (Averaged, ts.get_optimizer(name)), {}), name=f"averaged_{name}")
    yield
    for name in BOTH:
        ts.unregister_optimizer(f"averaged_{name}")


# The reference counts the steps of a group, ours those of a parameter: with all gradients there they are the same.
@pytest.mark.parametrize(("name", "reference", "options"), CASES)
def test_trains_as_the_reference(name, reference, options):
    check_reference(name, type("Reference", (Trained, reference), {}), options, intermittent=False)


@pytest.mark.parametrize(("name", "reference", "options"), CASES)
@pytest.mark.usefixtures("averaged")
def test_evaluates_as_the_reference(name, reference, options):
    check_reference(f"averaged_{name}", type("Reference", (Averaged, reference), {}), options, intermittent=False)


def made(name, p, **options):
    return ts.create_optimizer(name, [p], **{"lr": 0.1, "warmup_steps": 3, "weight_decay": 0.1, **options})


def parameter(shape=(5,), dtype=np.float64, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape)
    return ts.tensor(np.asarray(values, dtype), requires_grad=True)


def run(p, optimizer, gradients):
    for g in gradients:
        p.grad = np.array(g, p.data.dtype)
        optimizer.step()


GRADIENTS = np.random.default_rng(1).standard_normal((10, 5))


@pytest.mark.parametrize("name", BOTH)
def test_both_modes_are_idempotent_and_there_and_back_is_the_same_place(name):
    p = parameter()
    optimizer = made(name, p)
    optimizer.eval()
    optimizer.train()  # without any state, nothing is to be moved
    assert p.data.tobytes() == parameter().data.tobytes()
    run(p, optimizer, GRADIENTS)
    y = p.data.copy()
    optimizer.train()
    assert p.data.tobytes() == y.tobytes()
    optimizer.eval()
    x, version = p.data.copy(), p._version[0]
    assert np.abs(x - y).min() > 1e-4
    optimizer.eval()
    assert p.data.tobytes() == x.tobytes()
    assert p._version[0] == version
    optimizer.train()
    assert p._version[0] > version
    np.testing.assert_allclose(p.data, y, rtol=1e-14)


@pytest.mark.parametrize("name", BOTH)
def test_the_averaged_weights_are_the_average_of_z(name):
    p = parameter()
    optimizer, seen = made(name, p, warmup_steps=0), []
    for g in GRADIENTS:
        run(p, optimizer, [g])
        seen.append(optimizer.state[p]["z"].copy())
    optimizer.eval()
    np.testing.assert_allclose(p.data, np.mean(seen, axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", BOTH)
def test_a_step_in_eval_mode_is_an_error_that_changes_nothing(name):
    p = parameter()
    optimizer = made(name, p)
    optimizer.eval()
    for steps in (0, 3):
        x, state = p.data.copy(), optimizer.state_dict()
        p.grad = np.ones(5)
        with pytest.raises(RuntimeError, match=r"eval mode.*call train\(\)"):
            optimizer.step()
        assert p.data.tobytes() == x.tobytes()
        assert repr(optimizer.state_dict()) == repr(state)
        optimizer.train()
        run(p, optimizer, GRADIENTS[:3])
        optimizer.eval()
        assert optimizer.state[p]["step"] == 3 + steps


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("name", BOTH)
def test_resumes_in_the_mode_that_was_saved(name, is_training):
    whole, half = parameter(), parameter()
    optimizer, first = made(name, whole), made(name, half)
    run(whole, optimizer, GRADIENTS[:4])
    run(half, first, GRADIENTS[:4])
    if not is_training:
        optimizer.eval()
        first.eval()
    second = made(name, half, lr=1.0)
    second.load_state_dict(first.state_dict())
    late = parameter(seed=2)
    second.add_param_group({"params": [late]})
    for other in (second, pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert {group["train_mode"] for group in (*other.param_groups, other.defaults)} == {is_training}
    optimizer.train()
    second.train()
    run(whole, optimizer, GRADIENTS[4:])
    run(half, second, GRADIENTS[4:])
    assert half.data.tobytes() == whole.data.tobytes()
    assert late.data.tobytes() == parameter(seed=2).data.tobytes()


@pytest.mark.parametrize("name", BOTH)
def test_a_parameter_has_its_own_clock(name):
    """One that comes late, or has no gradient now and then, is averaged as it would be alone."""
    alone, late, other = parameter(), parameter(), parameter(seed=2)
    single, several = made(name, alone), made(name, other)
    run(other, several, GRADIENTS[:3])
    several.eval()
    several.add_parameter(late)
    several.eval()
    several.train()
    for g in GRADIENTS:
        run(alone, single, [g])
        other.grad, late.grad = None, g.copy()
        several.step()
        other.grad, late.grad = g.copy(), None
        several.step()
    single.eval()
    several.eval()
    assert late.data.tobytes() == alone.data.tobytes()


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("shape", [(), (1,), (3, 0), (2, 3)])
def test_float32_is_near_float64(name, shape):
    ends = []
    for dtype in (np.float64, np.float32):
        p = parameter(shape, dtype)
        optimizer = made(name, p, maximize=True)
        rng = np.random.default_rng(3)
        run(p, optimizer, [rng.standard_normal(shape) for _ in range(20)])
        optimizer.eval()
        ends.append(p.data)
    assert ends[1].dtype == np.float32
    np.testing.assert_allclose(ends[1], ends[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("damage", "error"), [("freeze", ValueError), ("reshape", ts.ShapeError)])
def test_a_parameter_that_cannot_be_moved_stops_the_switch_before_any_moves(damage, error):
    first, second = parameter(), parameter(seed=2)
    optimizer = ts.create_optimizer("schedulefree_sgd", [("first", first), ("second", second)], lr=0.1)
    first.grad = second.grad = np.ones(5)
    optimizer.step()
    y = first.data.copy()
    if damage == "freeze":
        second.data.flags.writeable = False
    else:
        second.data = np.ones((1, 5))
    with pytest.raises(error, match="'second'"):
        optimizer.eval()
    assert first.data.tobytes() == y.tobytes()
    assert optimizer.param_groups[0]["train_mode"]


@pytest.mark.parametrize(
    ("name", "bad"), [("schedulefree_adamw", {"betas": (0, 0.9)}), ("schedulefree_sgd", {"momentum": 0})]
)
def test_a_share_of_nothing_in_a_group_is_an_error(name, bad):
    p = parameter()
    optimizer = made(name, p)
    run(p, optimizer, GRADIENTS[:2])
    optimizer.param_groups[0].update(bad)
    with pytest.raises(ValueError, match="Invalid"):
        optimizer.eval()


def test_infinite_weights_are_no_warning():
    p = parameter()
    optimizer = made("schedulefree_sgd", p)
    run(p, optimizer, [np.full(5, np.inf)])
    optimizer.eval()
    assert np.isnan(p.data).all()


def test_the_second_moment_is_never_subnormal():
    p = parameter()
    optimizer = made("schedulefree_adamw", p)
    run(p, optimizer, [np.full(5, 1e-153), np.full(5, 1e-160)])
    assert not optimizer.state[p]["exp_avg_sq"].any()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("schedulefree_adamw", {"lr": -1}, "learning rate: -1"),
        ("schedulefree_adamw", {"betas": (0.0, 0.9)}, "beta parameter at index 0: 0"),
        ("schedulefree_adamw", {"betas": (0.9, 1.0)}, "beta parameter at index 1: 1"),
        ("schedulefree_adamw", {"weight_lr_power": -1}, "weight_lr_power value: -1"),
        ("schedulefree_sgd", {"momentum": 0}, "momentum value: 0"),
        ("schedulefree_sgd", {"momentum": 1}, "momentum value: 1"),
        ("schedulefree_sgd", {"warmup_steps": -1}, "warmup_steps value: -1"),
        ("schedulefree_sgd", {"r": np.nan}, "r value: nan"),
    ],
)
def test_refuses_what_is_out_of_range(name, options, text):
    with pytest.raises(ValueError, match=f"Invalid {text}"):
        ts.create_optimizer(name, **options)


@pytest.mark.parametrize("name", BOTH)
def test_is_found_by_name_after_installation(name):
    info = ts.optimizer_info(name)
    assert (info.name, info.distribution, info.origin) == (name, "trainstation-schedulefree", "plugin")
    assert name in ts.list_optimizers("schedulefree_*", origin="plugin", tags="averaging")
