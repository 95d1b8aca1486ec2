"""Muon: torch's equations, in the parameter's dtype; AdamW for what is not a matrix."""

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.testing import check_reference

MATRICES = ((3, 4), (5, 2), (4, 4), (1, 6))
OTHERS = ((3,), (), (2, 3, 2), (1,))
OPTIONS = [
    {},
    {"weight_decay": 0.0},
    {"nesterov": False},
    {"momentum": 0.0},
    {"momentum": 0.3},
    {"adjust_lr_fn": "original"},
    {"adjust_lr_fn": "match_rms_adamw"},
    {"ns_steps": 0},
    {"ns_steps": 3, "ns_coefficients": (1.5, -0.5, 0.0)},
    {"eps": 10.0},
]


@pytest.fixture
def exact(monkeypatch):
    """Let torch's iteration keep the dtype: bfloat16 is the only thing in which its equations are not ours.

    It rounds to bfloat16 the input, its norm, the quotient, and each matrix product together with what is added to it
    (products are added up in float32). A program that does so gave its bits for all matrices tried up to 8 x 8 and
    most up to 32 x 32; beyond, sums in another order tip some roundings.
    """
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)


def parameters(shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [ts.tensor(np.asarray(rng.standard_normal(shape), dtype), requires_grad=True) for shape in shapes]


def train(ps, optimizer, steps, seed=1, sign=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in ps:
            p.grad = np.asarray(sign * rng.standard_normal(p.shape), p.dtype)
        optimizer.step()
    return [p.data.tobytes() for p in ps]


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("options", OPTIONS)
def test_equals_torch_but_for_bfloat16(options):
    check_reference("muon", torch.optim.Muon, {"lr": 0.02, "weight_decay": 0.3, **options}, shapes=MATRICES)


@pytest.mark.usefixtures("exact")
def test_equals_torch_in_float32():
    check_reference("muon", torch.optim.Muon, {"lr": 0.02}, shapes=MATRICES, dtype="float32", rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 4), (16, 5), (32, 32), (1, 7)])
def test_one_step_is_torchs_within_bfloat16(shape, dtype):
    # The iteration multiplies what is small by up to 3.4445 ** 5, and its errors with it: 13 units of bfloat16's
    # rounding, 2 ** -8, is the most that was seen, relative to the Frobenius norm.
    for seed in range(20):
        (p,) = parameters([shape], dtype, seed)
        g = np.random.default_rng(100 + seed).standard_normal(shape).astype(dtype)
        theirs, before = torch.nn.Parameter(torch.from_numpy(p.data.copy())), p.data.copy()
        p.grad, theirs.grad = g, torch.from_numpy(g.copy())
        ts.create_optimizer("muon", [p], lr=1.0, weight_decay=0).step()
        torch.optim.Muon([theirs], lr=1.0, weight_decay=0).step()
        step = p.data - before
        apart = np.linalg.norm(step - (theirs.detach().numpy() - before)) / np.linalg.norm(step)
        assert 0 < apart < 20 * 2**-8


def test_a_hundred_steps_stay_near_torch():
    check_reference("muon", torch.optim.Muon, {"lr": 0.02}, shapes=MATRICES, rtol=0.02)


def test_a_step_is_nearly_orthogonal():
    (p,) = parameters([(20, 12)])
    before = p.data.copy()
    p.grad = np.random.default_rng(1).standard_normal(p.shape)
    ts.create_optimizer("muon", [p], lr=1.0, weight_decay=0).step()
    singular = np.linalg.svd(before - p.data, compute_uv=False) / np.sqrt(20 / 12)
    assert singular.min() > 0.65
    assert singular.max() < 1.25


@pytest.mark.parametrize("options", [{}, {"eps": 1e-3, "weight_decay": 0.0, "betas": (0.8, 0.9)}])
def test_what_is_no_matrix_is_stepped_by_adamw(options):
    options = {"lr": 0.02, "weight_decay": 0.1, "betas": (0.9, 0.95), "eps": 1e-7, **options}
    check_reference("muon", torch.optim.AdamW, options, shapes=OTHERS)
    ours, adamw = parameters(OTHERS, np.float32), parameters(OTHERS, np.float32)
    assert train(ours, ts.create_optimizer("muon", ours, **options), 20) == train(
        adamw, ts.create_optimizer("adamw", adamw, **options), 20
    )


def test_one_optimizer_takes_a_whole_model_and_names_states_as_torch_does():
    ps = parameters([(3, 4), (4,), (), (2, 3, 2, 2), (0, 3), (3, 0), (0,)])
    optimizer = ts.create_optimizer("muon", ps)
    train(ps, optimizer, 2)
    names = [set(optimizer.state[p]) - {"step"} for p in ps]
    matrix, other = {"momentum_buffer"}, {"exp_avg", "exp_avg_sq"}
    assert names == [matrix, other, other, other, matrix, matrix, other]
    assert all(np.isfinite(p.data).all() for p in ps)


def test_a_zero_gradient_only_decays():
    p = ts.Tensor.ones((2, 3), requires_grad=True)
    p.grad = np.zeros((2, 3), np.float32)
    ts.create_optimizer("muon", [p], lr=0.5, weight_decay=0.5).step()
    assert (p.data == 0.75).all()


def test_a_transposed_view_is_stepped_in_place():
    (p,), (other,) = parameters([(4, 3)]), parameters([(4, 3)])
    view = ts.Tensor.from_numpy(np.asfortranarray(p.data)).requires_grad_()
    assert not view.data.flags.c_contiguous
    train([view], ts.create_optimizer("muon", [view]), 5)
    train([other], ts.create_optimizer("muon", [other]), 5)
    np.testing.assert_allclose(view.data, other.data, rtol=1e-12)


def test_maximize_goes_up_the_negated_gradient():
    up, down = parameters(MATRICES), parameters(MATRICES)
    ascending = ts.create_optimizer("muon", up, lr=0.02, maximize=True)
    assert train(up, ascending, 5) == train(down, ts.create_optimizer("muon", down, lr=0.02), 5, sign=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumes_as_if_it_had_not_stopped(dtype):
    whole, half = parameters(MATRICES + OTHERS, dtype), parameters(MATRICES + OTHERS, dtype)
    optimizer, first = (
        ts.create_optimizer("muon", whole, nesterov=False),
        ts.create_optimizer("muon", half, nesterov=False),
    )
    train(whole, optimizer, 4)
    train(half, first, 4)
    second = ts.create_optimizer("muon", half, lr=1.0)
    second.load_state_dict(first.state_dict())
    assert train(half, second, 6, seed=2) == train(whole, optimizer, 6, seed=2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -1}, "learning rate"),
        ({"momentum": -0.1}, "momentum"),
        ({"weight_decay": -1}, "weight_decay"),
        ({"eps": 0}, "epsilon"),
        ({"ns_steps": 100}, "Number of steps"),
        ({"ns_steps": -1}, "Number of steps"),
        ({"ns_steps": 2.5}, "Number of steps"),
        ({"ns_coefficients": (1, 2)}, "exactly 3"),
        ({"ns_coefficients": (1, 2, float("nan"))}, "exactly 3"),
        ({"adjust_lr_fn": "other"}, "Adjust learning rate function"),
        ({"betas": (0.9, 1.0)}, "beta parameter"),
    ],
)
def test_refuses_what_is_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer("muon", **options)


def test_is_found_by_name_after_installation():
    info = ts.optimizer_info("muon")
    assert (info.distribution, info.origin, info.module) == ("trainstation-muon", "plugin", "trainstation_muon.muon")
    with pytest.raises(TypeError, match="dampening"):
        ts.create_optimizer("muon", dampening=0.9)
