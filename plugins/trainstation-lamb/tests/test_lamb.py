"""LAMB and LARS: timm's equations to the last digits."""

import importlib
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.testing import check_reference

SHAPES = ((3, 4), (5,), (2, 3, 2), ())
LAMB = [
    {},
    {"weight_decay": 0.0},
    {"weight_decay": 0.0, "always_adapt": True},
    {"bias_correction": False},
    {"betas": (0.5, 0.7), "eps": 1e-3},
    {"grad_averaging": False},
    {"trust_clip": True},
    {"caution": True},
    {"caution": True, "decoupled_decay": True},
    {"decoupled_decay": True},
    {"decoupled_decay": True, "corrected_weight_decay": True},
    {"corrected_weight_decay": True},
]
LARS = [
    {},
    {"weight_decay": 0.0},
    {"weight_decay": 0.0, "always_adapt": True},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.5},
    {"momentum": 0.9, "nesterov": True},
    {"trust_clip": True},
    {"trust_clip": True, "trust_coeff": 10.0},
    {"eps": 1.0, "momentum": 0.9, "trust_coeff": 0.1},
]


def from_timm(name, kind):
    """Return a class of timm, from under empty packages: its own import torchvision."""
    (folder,) = find_spec("timm").submodule_search_locations
    shells = {}
    for package, path in (("timm", Path(folder)), ("timm.optim", Path(folder, "optim"))):
        shells[package] = ModuleType(package)
        shells[package].__path__ = [str(path)]
    with mock.patch.dict(sys.modules, shells):
        return getattr(importlib.import_module(f"timm.optim.{name}"), kind)


TimmLamb, TimmLars = from_timm("lamb", "Lamb"), from_timm("lars", "Lars")
Unclipped = partial(TimmLamb, max_grad_norm=None)  # whose default is 1
REFERENCES = {"lamb": Unclipped, "lars": TimmLars}


class ClippedAsHere(TimmLamb):
    """With 1e-6 added to the norm, as `clip_grad_norm_` does; timm adds nothing."""

    def _get_clip_grad_norm(self):
        over = super()._get_clip_grad_norm()
        return over + 1e-6 / self.defaults["max_grad_norm"] if over > 1 else over


def parameters(shapes=SHAPES, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [ts.tensor(np.asarray(rng.standard_normal(shape), dtype), requires_grad=True) for shape in shapes]


def train(ps, optimizer, steps, seed=1, sign=1):
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in ps:
            p.grad = np.asarray(sign * rng.standard_normal(p.shape), p.dtype)
        optimizer.step()
    return [p.data.tobytes() for p in ps]


@pytest.mark.parametrize("options", LAMB)
def test_lamb_equals_timm(options):
    # timm counts the steps of a group, with or without a gradient: the correction of a parameter that lacks its
    # gradient at times is another one, unless there is none.
    options = {"lr": 0.02, "weight_decay": 0.3, **options}
    intermittent = not options.get("bias_correction", True)
    check_reference("lamb", Unclipped, options, shapes=SHAPES, intermittent=intermittent)


def test_lamb_counts_the_steps_of_each_parameter():
    together, alone = parameters([(3,), (4,)]), parameters([(3,), (4,)])
    optimizer, other = ts.create_optimizer("lamb", together[:1]), ts.create_optimizer("lamb", alone[1:])
    train(together[:1], optimizer, 50)
    optimizer.add_parameter(together[1])
    together[0].grad = None
    assert train(together[1:], optimizer, 5) == train(alone[1:], other, 5)


@pytest.mark.parametrize("max_grad_norm", [0.5, 1.0, 6.0])
def test_lamb_clips_the_norm_over_all_groups(max_grad_norm):
    options = {"lr": 0.02, "weight_decay": 0.3, "max_grad_norm": max_grad_norm}
    common = {"shapes": SHAPES, "intermittent": False}
    check_reference("lamb", ClippedAsHere, options, **common)
    check_reference("lamb", TimmLamb, options, **common, rtol=1e-6)


@pytest.mark.parametrize("options", LARS)
def test_lars_equals_timm(options):
    check_reference("lars", TimmLars, {"lr": 0.7, "weight_decay": 0.1, **options}, shapes=SHAPES)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lamb", {"lr": 0.02}),
        ("lamb", {"lr": 0.02, "caution": True, "decoupled_decay": True}),
        ("lars", {"lr": 0.7, "momentum": 0.9, "trust_coeff": 0.1}),
    ],
)
def test_equals_timm_in_float32(name, options):
    options = {"weight_decay": 0.1, **options}  # a parameter that comes near 0 keeps the roundings of its larger self
    check_reference(name, REFERENCES[name], options, shapes=SHAPES, intermittent=False, dtype="float32", rtol=1e-4)


@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_a_parameter_or_gradient_of_zeros_is_not_adapted(name):
    options = {"lr": 0.5, "weight_decay": 0.5, "trust_clip": True}
    for value, slope in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0)):
        p = ts.tensor(np.full((2, 3), value), requires_grad=True)
        theirs = torch.nn.Parameter(torch.full((2, 3), value, dtype=torch.float64))
        p.grad, theirs.grad = np.full((2, 3), slope), torch.full((2, 3), slope, dtype=torch.float64)
        ts.create_optimizer(name, [p], **options).step()
        REFERENCES[name]([theirs], **options).step()
        np.testing.assert_allclose(p.data, theirs.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_a_rate_of_zero_changes_nothing(name):
    ps = parameters()
    before = [p.data.tobytes() for p in ps]
    assert train(ps, ts.create_optimizer(name, ps, lr=0, weight_decay=0.1, trust_clip=True), 3) == before


@pytest.mark.parametrize("options", [{}, {"caution": True, "always_adapt": True}])
@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_empty_parameters_do_not_disturb_others(name, options):
    options = options if name == "lamb" else {"always_adapt": True}
    ps, others = parameters([(0, 3), (4,), (0,)]), parameters([(0, 3), (4,), (0,)])
    run = train(ps, ts.create_optimizer(name, ps, **options), 5)
    assert run[1] == train(others, ts.create_optimizer(name, others[1:2], **options), 5)[1]


@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_a_transposed_view_is_stepped_in_place(name):
    (p,), (other,) = parameters([(4, 3)]), parameters([(4, 3)])
    view = ts.Tensor.from_numpy(np.asfortranarray(p.data)).requires_grad_()
    assert not view.data.flags.c_contiguous
    train([view], ts.create_optimizer(name, [view], weight_decay=0.1), 5)
    train([other], ts.create_optimizer(name, [other], weight_decay=0.1), 5)
    np.testing.assert_allclose(view.data, other.data, rtol=1e-12)


@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_maximize_goes_up_the_negated_gradient(name):
    up, down = parameters(), parameters()
    ascending = ts.create_optimizer(name, up, weight_decay=0.1, maximize=True)
    descending = ts.create_optimizer(name, down, weight_decay=0.1)
    assert train(up, ascending, 5) == train(down, descending, 5, sign=-1)


@pytest.mark.parametrize("state_dtype", [None, "bfloat16"])
@pytest.mark.parametrize(
    ("name", "options"),
    [("lamb", {"decoupled_decay": True, "corrected_weight_decay": True}), ("lars", {"momentum": 0.9})],
)
def test_resumes_as_if_it_had_not_stopped(name, options, state_dtype):
    whole, half = parameters(dtype=np.float32), parameters(dtype=np.float32)
    options = {**options, "weight_decay": 0.1, "state_dtype": state_dtype}
    optimizer, first = ts.create_optimizer(name, whole, **options), ts.create_optimizer(name, half, **options)
    train(whole, optimizer, 4)
    train(half, first, 4)
    second = ts.create_optimizer(name, half, lr=0.3, state_dtype=state_dtype)
    second.load_state_dict(first.state_dict())
    assert train(half, second, 6, seed=2) == train(whole, optimizer, 6, seed=2)
    stored = {value.dtype for name, value in first.state[half[0]].items() if name != "step"}
    assert stored == {np.dtype(np.uint16 if state_dtype else np.float32)}


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("lamb", {"lr": -1}, "learning rate"),
        ("lamb", {"betas": (1.0, 0.9)}, "beta parameter"),
        ("lamb", {"eps": 0}, "epsilon"),
        ("lamb", {"weight_decay": -1}, "weight_decay"),
        ("lamb", {"max_grad_norm": 0}, "max_grad_norm"),
        ("lamb", {"lr": 0, "corrected_weight_decay": True}, "positive max lr"),
        ("lars", {"lr": -1}, "learning rate"),
        ("lars", {"nesterov": True}, "Nesterov"),
        ("lars", {"eps": 0}, "epsilon"),
        ("lars", {"trust_coeff": -1}, "trust_coeff"),
        ("lars", {"trust_coeff": float("inf")}, "trust_coeff"),
    ],
)
def test_refuses_what_is_out_of_range(name, options, text):
    with pytest.raises(ValueError, match=text):
        ts.create_optimizer(name, **options)


@pytest.mark.parametrize("name", ["lamb", "lars"])
def test_is_found_by_name_after_installation(name):
    info = ts.optimizer_info(name)
    assert (info.distribution, info.origin) == ("trainstation-lamb", "plugin")
    assert name in ts.list_optimizers(tags=("layerwise",))
    with pytest.raises(TypeError, match="foreach"):
        ts.create_optimizer(name, foreach=True)
