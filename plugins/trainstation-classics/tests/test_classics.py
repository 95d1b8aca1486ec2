"""The classics as a user meets them: found by name, and equal to torch's."""

import math

import numpy as np
import pytest
import torch
from trainstation_classics.common import real_power
from trainstation_classics.nadam import NAdam

import trainstation as ts
from trainstation.testing import check_reference

REFERENCES = {
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "asgd": torch.optim.ASGD,
    "rprop": torch.optim.Rprop,
}
# Rates so large that 100 steps go far. Every option differs from its default at least once, and every branch is taken:
# torch's lerp from either side, RAdam's adaptive rate from the sixth step on and never, step sizes at their ends.
VARIANTS = [
    ("adagrad", {"lr": 0.1}),
    ("adagrad", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("adagrad", {"lr": 0.1, "lr_decay": 0.03, "initial_accumulator_value": 0.2, "eps": 1e-3}),
    ("adadelta", {"lr": 1.0}),
    ("adadelta", {"lr": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3}),
    ("adadelta", {"lr": 0.5, "rho": 1}),
    ("adamax", {"lr": 0.02}),
    ("adamax", {"lr": 0.02, "weight_decay": 0.1, "maximize": True}),
    ("adamax", {"lr": 0.02, "betas": (0.3, 0.7), "eps": 1e-3}),
    ("nadam", {"lr": 0.02}),
    ("nadam", {"lr": 0.02, "weight_decay": 0.1, "maximize": True}),
    ("nadam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("nadam", {"lr": 0.02, "betas": (0.8, 0.95), "momentum_decay": 0.3, "eps": 1e-3}),
    ("nadam", {"lr": 0.02, "betas": (0, 0.9999), "momentum_decay": 0}),
    ("radam", {"lr": 0.02}),
    ("radam", {"lr": 0.02, "weight_decay": 0.1, "maximize": True}),
    ("radam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("radam", {"lr": 0.02, "betas": (0.3, 0.8), "eps": 1e-3}),
    ("radam", {"lr": 0.02, "betas": (0.8, 0.5)}),
    ("asgd", {"lr": 0.1}),
    ("asgd", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("asgd", {"lr": 0.1, "lambd": 0.1, "alpha": 1, "t0": 20}),
    ("rprop", {"lr": 0.02}),
    ("rprop", {"lr": 0.02, "etas": (0.3, 1.9), "step_sizes": (1e-3, 0.05), "maximize": True}),
]
variants = pytest.mark.parametrize(("name", "options"), VARIANTS)
names = pytest.mark.parametrize("name", REFERENCES)


@pytest.fixture(autouse=True)
def double():
    """torch keeps NAdam's mu_product and ASGD's eta and mu in its default dtype: in float32 it is off by up to 1e-6."""
    former = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(former)


@names
def test_is_found_by_name_after_installation(name):
    info = ts.optimizer_info(name)
    assert (info.distribution, info.origin) == ("trainstation-classics", "plugin")
    assert info.version
    assert info.module == f"trainstation_classics.{name}"
    assert ts.get_optimizer(f"trainstation-classics/{name}") is ts.get_optimizer(name)


@variants
def test_equals_torch(name, options):
    check_reference(name, REFERENCES[name], options)


@variants
def test_equals_torch_in_float32(name, options):
    check_reference(name, REFERENCES[name], options, dtype="float32", steps=30, late=10, rtol=2e-5)


@names
def test_defaults_are_torchs(name):
    theirs = REFERENCES[name]([torch.zeros(1)]).defaults
    ours = ts.create_optimizer(name).defaults
    torch_only = {"foreach", "capturable", "differentiable", "fused"}
    assert ours == {key: value for key, value in theirs.items() if key not in torch_only}


@pytest.mark.parametrize("t0", [0, 3, 3.5, 100, math.inf])
def test_the_average_of_asgd_is_torchs(t0):
    rng = np.random.default_rng(0)
    values = rng.standard_normal(5)
    p, mirror = ts.tensor(values, requires_grad=True), torch.nn.Parameter(torch.tensor(values))
    optimizer = ts.create_optimizer("asgd", [p], lr=0.1, t0=t0)
    peer = torch.optim.ASGD([mirror], lr=0.1, t0=t0)
    for _ in range(20):
        p.grad = rng.standard_normal(5)
        mirror.grad = torch.tensor(p.grad.numpy())
        optimizer.step()
        peer.step()
        np.testing.assert_allclose(optimizer.state[p]["ax"], peer.state[mirror]["ax"].numpy(), rtol=1e-12)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.99, 0.999), (1 - 1e-9, 0.9999)])
@pytest.mark.parametrize("momentum_decay", [0, 4e-3, 100])
def test_the_products_of_nadam_are_right_at_any_step(betas, momentum_decay):
    optimizer = NAdam(lr=1.0, betas=betas, momentum_decay=momentum_decay)
    product, beta1 = 1.0, betas[0]
    mu = [beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in range(5002)]
    for t in range(1, 5001):
        product *= mu[t]
        if t < 70 or t % 97 == 0:  # 0.96^momentum_decay is rounded, and then raised to t
            expected = (1 - mu[t]) / (1 - product), mu[t + 1] / (1 - product * mu[t + 1])
            np.testing.assert_allclose(optimizer.scalars(optimizer.defaults, t)[5:7], expected, rtol=1e-12)


def test_nadam_goes_on_at_a_step_that_is_far_away():
    for momentum_decay in (0, 1e-9, 4e-3, 100):
        optimizer = NAdam(lr=1.0, betas=(1 - 1e-12, 0.999), momentum_decay=momentum_decay)
        assert np.isfinite(optimizer.scalars(optimizer.defaults, 10**12)).all()


@pytest.mark.parametrize("base", [0.96, 1.0, 1 - 1e-9, 0.03, 1e-30])
@pytest.mark.parametrize("exponent", [0, 1e-9, 4e-3, 0.75, 1, 9.5, 1e300])
def test_a_real_power_is_right(base, exponent):
    assert real_power(base, exponent) == pytest.approx(base**exponent, rel=4e-16)


def test_a_group_may_begin_its_sum_at_another_value():
    p = [ts.tensor(np.zeros(1), requires_grad=True) for _ in range(2)]
    optimizer = ts.create_optimizer("adagrad", [{"params": p[:1]}, {"params": p[1:], "initial_accumulator_value": 3.0}])
    for each in p:
        each.grad = np.ones(1)
    optimizer.step()
    assert [float(optimizer.state[each]["sum"][0]) for each in p] == [1, 4]


def test_rprop_knows_the_signs_of_gradients_whose_product_is_no_number():
    p = ts.tensor(np.zeros(3, np.float32), requires_grad=True)
    optimizer = ts.create_optimizer("rprop", [p], lr=0.5, etas=(0.5, 2.0))
    for size in (1e-30, 1e-44, 1e30):
        p.grad = np.array([size, -size, 0], np.float32)
        optimizer.step()
    assert p.data.tolist() == [-3.5, 3.5, 0]


@variants
@pytest.mark.parametrize("state_dtype", [None, "bfloat16", "8bit"])
def test_resumes_as_if_it_had_not_stopped(name, options, state_dtype):
    gradients = np.random.default_rng(1).standard_normal((10, 5000)).astype(np.float32)

    def train(p, optimizer, some):
        for g in some:
            p.grad = g
            optimizer.step()

    options = {**options, "state_dtype": state_dtype}
    whole, half = (ts.Tensor.ones(5000, requires_grad=True) for _ in range(2))
    uninterrupted = ts.create_optimizer(name, [whole], **options)
    train(whole, uninterrupted, gradients)
    first = ts.create_optimizer(name, [half], **options)
    train(half, first, gradients[:4])
    second = ts.create_optimizer(name, [half], state_dtype=state_dtype)
    second.load_state_dict(first.state_dict())
    train(half, second, gradients[4:])
    assert half.data.tobytes() == whole.data.tobytes()
    for state, array in uninterrupted.state[whole].items():
        assert np.asarray(second.state[half][state]).tobytes() == np.asarray(array).tobytes(), state


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@names
def test_every_shape_is_stepped_as_if_it_were_flat(name, dtype):
    rng = np.random.default_rng(2)
    shapes = [(), (1,), (3, 0), (2, 3)]
    flat = ts.tensor(rng.standard_normal(8).astype(dtype), requires_grad=True)
    parts = [0, 1, 2, 2, 8]
    shaped = [
        ts.tensor(flat.data[a:b].reshape(shape), requires_grad=True)
        for a, b, shape in zip(parts, parts[1:], shapes, strict=False)
    ]
    optimizers = [ts.create_optimizer(name, [flat]), ts.create_optimizer(name, shaped)]
    for _ in range(7):
        flat.grad = rng.standard_normal(8).astype(dtype)
        for p, a, b in zip(shaped, parts, parts[1:], strict=False):
            p.grad = flat.grad.data[a:b].reshape(p.shape)
        for optimizer in optimizers:
            optimizer.step()
    assert b"".join(p.data.tobytes() for p in shaped) == flat.data.tobytes()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [(name, {"lr": -1}, "Invalid learning rate: -1") for name in REFERENCES]
    + [(name, {"weight_decay": -1}, "Invalid weight_decay value: -1") for name in REFERENCES if name != "rprop"]
    + [(name, {"eps": -1}, "Invalid epsilon value: -1") for name in REFERENCES if name not in ("asgd", "rprop")]
    + [(name, {"betas": (0.9, 1)}, "parameter at index 1: 1") for name in ("adamax", "nadam", "radam")]
    + [
        ("adagrad", {"lr_decay": -1}, "Invalid lr_decay value: -1"),
        ("adagrad", {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
        ("adagrad", {"initial_accumulator_value": math.inf}, "Invalid initial_accumulator_value value: inf"),
        ("adadelta", {"rho": 1.1}, "Invalid rho value: 1.1"),
        ("nadam", {"momentum_decay": -1}, "Invalid momentum_decay value: -1"),
        ("asgd", {"lambd": math.nan}, "Invalid lambd value: nan"),
        ("asgd", {"alpha": -1}, "Invalid alpha value: -1"),
        ("asgd", {"t0": -1}, "Invalid t0 value: -1"),
        ("rprop", {"etas": (1, 1.2)}, "Invalid eta values: 1, 1.2"),
        ("rprop", {"step_sizes": (2, 1)}, "Invalid step sizes: 2, 1"),
    ],
)
def test_refuses_what_is_out_of_range(name, options, text):
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer(name, **options)


@names
def test_an_unknown_keyword_is_an_error(name):
    with pytest.raises(TypeError, match="foreach"):
        ts.create_optimizer(name, foreach=True)
