"""Groups, averages and accumulation of torch's parameters, and against torch's own."""

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

import trainstation as ts
from trainstation import nn


def torch_model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.LayerNorm(8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def ts_model():
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 2))
    model.load_state_dict({name: value.numpy().copy() for name, value in torch_model().state_dict().items()})
    return model


def inputs(step):
    return np.random.default_rng(step).standard_normal((5, 4)).astype(np.float32)


def torch_step(model, optimizer, step):
    optimizer.zero_grad()
    (model(torch.from_numpy(inputs(step))) ** 2).mean().backward()
    optimizer.step()


KINDS = {
    "EMA": (lambda of: ts.EMA(of, 0.9), get_ema_multi_avg_fn(0.9)),
    "SWA": (ts.SWA, get_swa_multi_avg_fn()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["torch's", "the bridge's"])
def test_averages_of_torch_parameters_are_torchs_own(kind, name):
    make, avg_fn = KINDS[kind]
    model = torch_model()
    kind_of = torch.optim.AdamW if name == "torch's" else lambda p, lr: ts.create_optimizer("adamw", p, lr=lr)
    optimizer = kind_of(model.parameters(), lr=0.1)
    by_hand, attached, theirs = make(model), make(optimizer), AveragedModel(model, multi_avg_fn=avg_fn)
    for step in range(20):
        torch_step(model, optimizer, step)
        by_hand.update()
        theirs.update_parameters(model)
    before = [p.detach().clone() for p in model.parameters()]
    for average in (by_hand, attached):
        with average.swapped():
            for p, expected in zip(model.parameters(), theirs.module.parameters(), strict=True):
                torch.testing.assert_close(p, expected)
        assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    attached.stop()
    torch_step(model, optimizer, 20)
    assert by_hand.n_averaged == attached.n_averaged == int(theirs.n_averaged) == 20
    assert list(by_hand.state_dict()["averages"]) == [name for name, _ in model.named_parameters()]


def test_averages_of_ours_are_as_torchs():
    ours, theirs = ts_model(), torch_model()
    optimizer = ts.optimizers.SGD(ours, lr=0.1)
    torchs = torch.optim.SGD(theirs.parameters(), lr=0.1)
    average, averaged = ts.EMA(optimizer, 0.9), AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for step in range(20):
        optimizer.zero_grad()
        (ours(ts.tensor(inputs(step))) ** 2).mean().backward()
        optimizer.step()
        torch_step(theirs, torchs, step)
        averaged.update_parameters(theirs)
    for a, b in zip(average.state_dict()["averages"].values(), averaged.module.parameters(), strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_torch_is_told_that_its_weights_were_changed():
    model = torch_model()
    average = ts.EMA(model)
    average.update()
    loss = (model(torch.ones(3, 4)) ** 2).mean()
    with average.swapped():
        pass
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_what_cannot_be_averaged_is_refused():
    with pytest.raises(TypeError, match="only float32 and float64 are averaged, not float16"):
        ts.EMA(torch_model().half())


@pytest.mark.parametrize(
    "make",
    [
        lambda groups: torch.optim.AdamW(groups, lr=0.01),
        lambda groups: ts.create_optimizer("adamw", groups, lr=0.01),
    ],
)
def test_groups_are_for_torch_too(make):
    groups = [
        ts.param_groups_weight_decay(torch_model(), 0.5),
        ts.param_groups_weight_decay(ts_model(), 0.5),
    ]
    names = [[[name for name, _ in group["params"]] for group in each] for each in groups]
    assert names[0] == names[1] == [["0.bias", "1.weight", "1.bias", "3.bias"], ["0.weight", "3.weight"]]
    optimizer = make(groups[0])
    before = [p.detach().clone() for group in optimizer.param_groups for p in group["params"]]
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = torch.zeros_like(p)
    optimizer.step()
    after = [p for group in optimizer.param_groups for p in group["params"]]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True] * 4 + [False] * 2
    assert [group["param_names"] for group in optimizer.param_groups] == names[0]


def test_a_torch_module_goes_to_the_bridge_by_name():
    model = torch_model()
    optimizer = ts.create_optimizer("adamw", model)
    assert isinstance(optimizer, torch.optim.Optimizer)
    assert optimizer.param_groups[0]["param_names"] == [name for name, _ in model.named_parameters()]
    grouped = ts.create_optimizer("adamw", [{"params": model, "lr": 0.5}])
    assert isinstance(grouped, torch.optim.Optimizer)
    two = ts.create_optimizer("adamw", [{"params": torch_model()}, {"params": torch_model(), "lr": 0.5}])
    assert [group["lr"] for group in two.param_groups] == [1e-3, 0.5]
    for empty in (torch.nn.ReLU(), [{"params": torch.nn.ReLU()}]):
        with pytest.raises(ValueError, match="ReLU has no parameters"):
            ts.create_optimizer("adamw", empty)
    with pytest.raises(TypeError, match=r"take ts.create_optimizer"):
        ts.optimizers.AdamW(model)


@pytest.mark.parametrize("name", ["torch's", "the bridge's"])
def test_parts_of_a_batch(name):
    model = torch_model().double()
    optimizer = torch.optim.SGD(model.parameters()) if name == "torch's" else ts.create_optimizer("sgd", model)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((10, 4)))
    (model(x) ** 2).mean().backward()
    whole = [p.grad.clone() for p in model.parameters()]
    with ts.accumulate(optimizer) as total:
        for part in x.split(4):
            total.backward((model(part) ** 2).mean(), weight=len(part))
    for p, expected in zip(model.parameters(), whole, strict=True):
        torch.testing.assert_close(p.grad, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("max_norm", [0.01, 100.0])
def test_clipping_is_torchs(order, max_norm):
    ours, theirs = ts_model(), torch_model()
    (ours(ts.tensor(inputs(0))) ** 2).mean().backward()
    (theirs(torch.from_numpy(inputs(0))) ** 2).mean().backward()
    norm = ts.clip_grad_norm_(ours.parameters(), max_norm, order)
    expected = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm, order)
    assert norm == pytest.approx(float(expected), rel=1e-5)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=1e-7)
    with pytest.raises(TypeError, match=r"torch\.nn\.utils clips torch's"):
        ts.clip_grad_norm_(theirs, 1.0)
