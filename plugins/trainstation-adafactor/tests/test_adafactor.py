"""Adafactor: torch's equations to the last digits, and its factored state."""

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.testing import check_reference

SHAPES = ((3, 4), (5,), (2, 3, 2), ())
OPTIONS = [
    {},
    {"weight_decay": 0.3},
    {"beta2_decay": -0.3},
    {"beta2_decay": 0.0},
    {"eps": (0.5, 1e-3)},
    {"eps": (0.0, 10.0)},
    {"eps": (1e-30, 0.0)},
    {"d": 3.0},
    {"lr": 5.0},
    {"maximize": True, "weight_decay": 0.1},
]


def parameters(shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [ts.tensor(np.asarray(rng.standard_normal(shape), dtype), requires_grad=True) for shape in shapes]


def train(ps, optimizer, steps, seed=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in ps:
            p.grad = np.asarray(rng.standard_normal(p.shape), p.dtype)
        optimizer.step()
    return [p.data.tobytes() for p in ps]


@pytest.mark.parametrize("options", OPTIONS)
def test_equals_torch(options):
    check_reference("adafactor", torch.optim.Adafactor, {"lr": 0.05, **options}, shapes=SHAPES)


def test_equals_torch_in_float32():
    options = {"lr": 0.05, "weight_decay": 0.1}
    check_reference("adafactor", torch.optim.Adafactor, options, shapes=SHAPES, dtype="float32", rtol=1e-5)


def test_the_second_moment_of_a_matrix_is_kept_as_rows_and_columns():
    ps = parameters([(30, 40), (2, 3, 5), (7,), ()])
    optimizer = ts.create_optimizer("adafactor", ps)
    train(ps, optimizer, 1)
    shapes = [{name: np.shape(value) for name, value in optimizer.state[p].items() if name != "step"} for p in ps]
    assert shapes == [
        {"row_var": (30, 1), "col_var": (1, 40)},
        {"row_var": (2, 3, 1), "col_var": (2, 1, 5)},
        {"variance": (7,)},
        {"variance": ()},
    ]


def test_each_parameter_of_a_group_has_the_epsilon_of_its_own_dtype():
    # torch takes the first one's for all of a group, so here each has an optimizer of its own
    ps = [ts.tensor(np.ones((2, 3), dtype), requires_grad=True) for dtype in (np.float32, np.float64)]
    theirs = [torch.nn.Parameter(torch.from_numpy(p.data.copy())) for p in ps]
    for p, mirror in zip(ps, theirs, strict=True):
        p.grad = np.full((2, 3), np.finfo(p.dtype).eps / 10, p.dtype)
        mirror.grad = torch.from_numpy(p.grad.data.copy())
        torch.optim.Adafactor([mirror], lr=0.1).step()
    ts.create_optimizer("adafactor", ps, lr=0.1).step()
    for p, mirror in zip(ps, theirs, strict=True):
        np.testing.assert_allclose(p.data, mirror.detach().numpy(), rtol=2 * np.finfo(p.dtype).eps)
        assert 0.98 < p.data.max() < 1


def test_empty_and_silent_parameters_stay_finite():
    ps = [*parameters([(0, 3), (3, 0), (0,)]), ts.Tensor.zeros((2, 2), requires_grad=True)]
    optimizer = ts.create_optimizer("adafactor", ps)
    for p in ps:
        p.grad = np.zeros_like(p.data)
    optimizer.step()
    assert (ps[-1].data == 0).all()
    assert all(optimizer.state[p]["step"] == 1 for p in ps)


def test_a_transposed_view_is_stepped_in_place():
    (p,), (other,) = parameters([(4, 3)]), parameters([(4, 3)])
    view = ts.Tensor.from_numpy(np.asfortranarray(p.data)).requires_grad_()
    assert not view.data.flags.c_contiguous
    train([view], ts.create_optimizer("adafactor", [view]), 5)
    train([other], ts.create_optimizer("adafactor", [other]), 5)
    np.testing.assert_allclose(view.data, other.data, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumes_as_if_it_had_not_stopped(dtype):
    whole, half = parameters(SHAPES, dtype), parameters(SHAPES, dtype)
    optimizer, first = (ts.create_optimizer("adafactor", ps, eps=(1e-3, 1e-2)) for ps in (whole, half))
    train(whole, optimizer, 4)
    train(half, first, 4)
    second = ts.create_optimizer("adafactor", half, lr=1.0)
    second.load_state_dict(first.state_dict())
    assert train(half, second, 6, seed=2) == train(whole, optimizer, 6, seed=2)


def test_a_group_has_its_own_eps():
    second = {"eps": (0.5, 0.2), "lr": 0.1}
    check_reference("adafactor", torch.optim.Adafactor, {"eps": (None, 0.1)}, second=second, shapes=SHAPES)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lr": -1}, "learning rate"),
        ({"beta2_decay": 0.1}, "beta2_decay"),
        ({"eps": (-1, 1e-3)}, "eps1"),
        ({"eps": (None, -1)}, "eps2"),
        ({"eps": (None, float("nan"))}, "eps2"),
        ({"d": 0.5}, "Invalid d value"),
        ({"weight_decay": -1}, "weight_decay"),
    ],
)
def test_refuses_what_is_out_of_range(options, text):
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer("adafactor", **options)


def test_is_found_by_name_after_installation():
    info = ts.optimizer_info("adafactor")
    assert (info.distribution, info.origin) == ("trainstation-adafactor", "plugin")
    assert info.defaults["eps"] == (None, 1e-3)
    with pytest.raises(TypeError, match="momentum"):
        ts.create_optimizer("adafactor", momentum=0.9)
