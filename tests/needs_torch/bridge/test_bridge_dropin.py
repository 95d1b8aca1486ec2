"""What a torch program does with an optimizer beside stepping it, done with ours and with torch's own."""

import copy
import gc
import io
import pickle
import threading
import weakref

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook

import trainstation as ts
from trainstation.interop import torch as bridge
from trainstation.optimizers import Optimizer

torch.set_num_threads(1)
NAMES = ["Adam", "AdamW", "SGD", "RMSprop"]
X, Y = torch.linspace(-1, 1, 60).reshape(12, 5), torch.linspace(1, -2, 24).reshape(12, 2)


def network(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()


def train(model, optimizer, steps, after=lambda: None):
    for _ in range(steps):
        optimizer.zero_grad()
        ((model(X.double()) - Y) ** 2).mean().backward()
        optimizer.step()
        after()


def same(model, other, tolerance=1e-12):
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


def pair(name="AdamW", **hyper):
    hyper = {"lr": 0.02, **({"momentum": 0.9} if name in ("SGD", "RMSprop") else {}), **hyper}
    models = network(), network()
    modules = bridge, torch.optim
    return [
        (model, getattr(module, name)(model.parameters(), **hyper))
        for model, module in zip(models, modules, strict=True)
    ]


SCHEDULERS = [
    lambda o: lr_scheduler.StepLR(o, 3),
    lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    lambda o: lr_scheduler.OneCycleLR(o, 0.1, 20),
    lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ConstantLR(o, 0.1), lr_scheduler.ExponentialLR(o, 0.9)], [4]),
]


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("tensor", [False, True])
def test_torchs_schedulers(scheduler, tensor):
    models = []
    for model, optimizer in pair("AdamW"):
        if tensor:
            optimizer.param_groups[0]["lr"] = torch.tensor(0.02, dtype=torch.float64)
        made = scheduler(optimizer)
        train(model, optimizer, 15, made.step)
        models.append(model)
        assert isinstance(optimizer.param_groups[0]["lr"], torch.Tensor) is tensor
    same(*models)


@pytest.mark.parametrize("name", NAMES)
def test_hyper_parameters_are_read_at_every_step(name):
    models = []
    for model, optimizer in pair(name):
        train(model, optimizer, 3)
        optimizer.param_groups[0]["lr"] = 0.1
        optimizer.param_groups[0]["weight_decay"] = 0.3
        train(model, optimizer, 3)
        models.append(model)
    same(*models)
    optimizer = bridge.Adam(models[0].parameters())
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="Invalid learning rate: -1"):
        train(models[0], optimizer, 1)


def test_tensors_as_hyper_parameters_may_be_written_to():
    lr, beta = torch.tensor(0.1), torch.tensor(0.9)
    (model, ours), (other, theirs) = pair("Adam")
    ours.param_groups[0].update(lr=lr, betas=(beta, torch.tensor(0.99)))
    for value in (0.1, 0.01):
        lr.fill_(value)
        beta.fill_(0.5 + value)
        theirs.param_groups[0].update(lr=float(lr), betas=(float(beta), float(torch.tensor(0.99))))
        train(model, ours, 2)
        train(other, theirs, 2)
    same(model, other)


def test_groups_and_parameters_that_come_later():
    models = []
    for module in (bridge, torch.optim):
        model = network()
        optimizer = module.Adam([{"params": model[0].parameters(), "lr": 0.1}], lr=0.01)
        train(model, optimizer, 3)
        optimizer.add_param_group({"params": model[2].weight, "betas": (0.5, 0.9)})
        train(model, optimizer, 3)
        optimizer.param_groups[1]["params"].append(model[2].bias)  # as some do
        train(model, optimizer, 3)
        optimizer.param_groups[0]["params"] = [model[0].bias]
        train(model, optimizer, 3)
        models.append(model)
    same(*models)


def test_names():
    model = network()
    optimizer = bridge.Adam(model.named_parameters())
    train(model, optimizer, 1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == [name for name, _ in model.named_parameters()]
    model[2].weight.grad = torch.full((2, 8), torch.nan).double()
    careful = bridge.Adam(model.named_parameters(), on_nonfinite="raise")
    with pytest.raises(ts.NonFiniteGradientError, match=r"'2\.weight'"):
        careful.step()


def test_closure_runs_with_gradients_on():
    models = []
    for model, optimizer in pair("SGD"):

        def closure(model=model, optimizer=optimizer):
            assert torch.is_grad_enabled()
            optimizer.zero_grad()
            loss = ((model(X.double()) - Y) ** 2).mean()
            loss.backward()
            return loss

        with torch.no_grad():
            losses = [optimizer.step(closure).item() for _ in range(5)]
        assert losses == sorted(losses, reverse=True)
        models.append(model)
    same(*models)


def test_hooks_and_the_profiler():
    model = network()
    optimizer, seen = bridge.Adam(model.parameters()), []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("before", o, args, kwargs)))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("after", o, args, kwargs)))
    everywhere = register_optimizer_step_post_hook(lambda *a: seen.append(("global", *a)))
    train(model, optimizer, 1)
    everywhere.remove()
    assert [each[:2] for each in seen] == [("before", optimizer), ("after", optimizer), ("global", optimizer)]
    with torch.profiler.profile() as profile:
        train(model, optimizer, 1)
    assert "Optimizer.step#Adam.step" in {event.key for event in profile.key_averages()}
    states = []
    optimizer.register_state_dict_post_hook(lambda o, sd: {**sd, "mine": 7})
    optimizer.register_load_state_dict_pre_hook(lambda o, sd: {k: v for k, v in sd.items() if k != "mine"})
    optimizer.register_load_state_dict_post_hook(states.append)
    saved = optimizer.state_dict()
    assert saved["mine"] == 7
    optimizer.load_state_dict(saved)
    assert states == [optimizer]


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_scaler(name):
    models = []
    for model, optimizer in pair(name):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
        scales = []
        for t in range(8):
            optimizer.zero_grad()
            loss = ((model(X.double()) - Y) ** 2).mean()
            scaler.scale(loss * (torch.inf if t in (2, 5) else 1.0)).backward()
            if t % 2:
                scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
            scales.append(scaler.get_scale())
        models.append((model, scales))
        assert all(p.isfinite().all() for p in model.parameters())
    same(models[0][0], models[1][0])
    assert models[0][1] == models[1][1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "again",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair)), "torch.save"],
    ids=["copy", "pickle", "save"],
)
def test_copies_go_on_alike(name, again):
    (model, optimizer), _ = pair(name)
    train(model, optimizer, 3)
    if again == "torch.save":
        file = io.BytesIO()
        torch.save((model, optimizer), file)
        other, copied = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    else:
        other, copied = again((model, optimizer))
    assert type(copied) is type(optimizer)
    train(model, optimizer, 3)
    train(other, copied, 3)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
    assert copied.state[q]["step"] == optimizer.state[p]["step"] == 6


class Plain(Optimizer):
    """A class that only its registered name can find after it was deleted here."""

    def __init__(self, params=None, lr=0.1):
        super().__init__(params, {"lr": lr})

    def scalars(self, hyper, t):
        return (hyper["lr"],)

    def update(self, p, g, state, scalars):
        p -= scalars[0] * g


def test_a_script_s_optimizer_is_pickled_by_its_name():
    ts.register_optimizer(Plain, name="plain_of_this_test")
    try:
        model = network()
        optimizer = ts.create_optimizer("plain-of-this-test", model.parameters(), lr=0.3)
        assert type(optimizer) is type(ts.create_optimizer("plain_of_this_test", model.parameters()))
        other, copied = pickle.loads(pickle.dumps((model, optimizer)))
        assert type(copied) is type(optimizer)
        assert copied.param_groups[0]["lr"] == 0.3
        train(model, optimizer, 2)
        train(other, copied, 2)
        same(model, other, 0)
    finally:
        ts.unregister_optimizer("plain_of_this_test")


def test_a_state_dict_is_loaded_with_weights_only():
    (model, optimizer), (other, theirs) = pair("AdamW")
    train(model, optimizer, 3)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    other.load_state_dict(model.state_dict())
    theirs.load_state_dict(saved)
    train(model, optimizer, 3)
    train(other, theirs, 3)
    same(model, other)


def test_a_state_dict_of_an_older_torch_is_taken():
    """B2 of pitfalls.md: flags that were added later are not in it."""
    (model, ours), (_, theirs) = pair("Adam")
    saved = theirs.state_dict()
    for flag in ("maximize", "foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay"):
        del saved["param_groups"][0][flag]
    ours.load_state_dict(saved)
    train(model, ours, 2)
    assert ours.param_groups[0]["maximize"] is False


@pytest.mark.parametrize("name", ["adamw", "lookahead"])
def test_a_made_class_without_a_name_and_a_subclass_are_pickled(name):
    kind = bridge.optimizer_class(ts.get_optimizer(name))
    assert kind is bridge.optimizer_class(ts.get_optimizer(name))
    for made in (kind(network().parameters()), Mine(network().parameters())):
        assert type(pickle.loads(pickle.dumps(made))) is type(made)


class Mine(bridge.SGD):
    """As a user may write it."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_compiled_training_step():
    (model, ours), (other, theirs) = pair("Adam")
    compiled = torch.compile(train, backend="eager")
    compiled(model, ours, 3)
    train(other, theirs, 3)
    same(model, other)


def test_optimizers_step_in_threads():
    models = [network() for _ in range(4)]
    optimizers = [bridge.AdamW(model.parameters(), lr=0.01) for model in models]
    threads = [
        threading.Thread(target=train, args=(model, optimizer, 30))
        for model, optimizer in zip(models, optimizers, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model in models[1:]:
        same(models[0], model, 0)


def test_a_group_s_lr_scale_is_left_to_schedulers():
    models = []
    for model, optimizer in pair("SGD"):
        optimizer.param_groups[0]["lr_scale"] = 0.1
        train(model, optimizer, 2)
        models.append(model)
    same(*models)


def test_a_wrong_state_dict_changes_nothing():
    (model, optimizer), _ = pair("Adam")
    train(model, optimizer, 2)
    before = copy.deepcopy(optimizer.state_dict())
    wrong = copy.deepcopy(before)
    del wrong["state"][1]["exp_avg_sq"]
    shape = copy.deepcopy(before)
    shape["state"][1]["exp_avg"] = torch.ones(3)
    shape["param_groups"][0]["lr"] = 7.0
    rate = copy.deepcopy(before)
    rate["param_groups"][0]["lr"] = -1.0
    fewer = {**before, "param_groups": []}
    for broken in (wrong, shape, rate, fewer):
        with pytest.raises(ValueError, match=r"exp_avg|Invalid learning rate|number of parameter groups"):
            optimizer.load_state_dict(broken)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for number, state in before["state"].items():
        assert all(torch.equal(after["state"][number][name], value) for name, value in state.items())


def test_what_is_written_to_states_is_taken():
    (model, ours), (other, theirs) = pair("Adam")
    for m, optimizer in ((model, ours), (other, theirs)):
        ps = list(m.parameters())
        train(m, optimizer, 3)
        optimizer.state[ps[0]]["exp_avg"].zero_()
        train(m, optimizer, 2)
        optimizer.state[ps[1]]["exp_avg_sq"] = torch.ones_like(ps[1])
        train(m, optimizer, 2)
        optimizer.state[ps[2]] = {}
        train(m, optimizer, 2)
        optimizer.state[ps[3]]["step"].fill_(100)
        train(m, optimizer, 2)
        del optimizer.state[ps[0]]
        train(m, optimizer, 2)
        optimizer.state.clear()
        assert ps[0] not in optimizer.state
        assert optimizer.state[ps[0]] == {}
        train(m, optimizer, 2)
        assert [optimizer.state[p]["step"].item() for p in ps] == [2.0] * 4
    same(model, other)


def test_gradients_are_read_where_they_are():
    p = torch.nn.Parameter(torch.arange(12.0).reshape(3, 4))
    q = torch.nn.Parameter(p.detach().clone())
    ours, theirs = bridge.Adam([p], lr=0.1), torch.optim.Adam([q], lr=0.1, foreach=False)
    base = torch.linspace(-1, 1, 48).reshape(12, 4)
    gradients = [
        base[:3].clone(),
        base[::4],
        base[:4, :3].t(),
        torch.full((1, 1), 0.5).expand(3, 4),
        torch.ones(3, 4),
    ]
    for g in gradients:
        p.grad = g
        q.grad = g.clone()
        before = g.clone()
        ours.step()
        theirs.step()
        assert p.grad is g
        assert torch.equal(g, before)
        torch.testing.assert_close(p, q)
    assert ours._native.step_engine.builds < 5
    p.grad.data = torch.full((3, 4), 9.0)  # the same object, other memory
    q.grad = torch.full((3, 4), 9.0)
    ours.step()
    theirs.step()
    torch.testing.assert_close(p, q)
    p.grad = torch.eye(3, 4).to_sparse()
    with pytest.raises(TypeError, match=r"parameter 0 of group 0: its gradient has the layout torch.sparse_coo"):
        ours.step()


def test_a_gradient_that_is_a_negative_view_is_read_as_such():
    """Of one element, such a view is contiguous; torch gives one to a parameter as it is."""
    z, p = torch.tensor([1 + 2j]), torch.nn.Parameter(torch.ones(1))
    optimizer = bridge.SGD([p], lr=1.0)
    for _ in range(2):
        p.grad = z.conj().imag
        assert p.grad.is_neg()
        assert p.grad.item() == -2
        optimizer.step()
    assert p.item() == 5


def test_no_gradient_is_held_between_steps():
    p = torch.nn.Parameter(torch.ones(1000))
    optimizer = bridge.Adam([p])
    for _ in range(3):
        p.grad = torch.ones(1000)
        gone = weakref.ref(p.grad.untyped_storage())
        seen = weakref.ref(p.grad)
        optimizer.step()
        optimizer.zero_grad()
        assert p.grad is None
        assert seen() is None
        assert gone() is None


def test_an_optimizer_is_freed_at_once():
    model = network()
    optimizer = bridge.Adam(model.parameters())
    train(model, optimizer, 2)
    state = weakref.ref(optimizer.state[model[0].weight]["exp_avg"])
    gone = weakref.ref(optimizer)
    gc.collect()
    gc.disable()
    try:
        del optimizer
        assert gone() is None
        assert state() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("name", NAMES)
def test_parameters_in_any_layout(name):
    hyper = {"lr": 0.1, **({"momentum": 0.9} if name == "SGD" else {})}
    torch.manual_seed(3)
    values = torch.randn(4, 3, 5, 2)

    def layouts():
        return [
            torch.nn.Parameter(each)
            for each in (
                values.clone().to(memory_format=torch.channels_last),
                values[:, :, 0, 0].clone().t(),
                values.clone().reshape(12, 10)[::2, ::3],
                values.clone().transpose(1, 3),
                values.clone()[0, 0, 0],
            )
        ]

    ps, qs = layouts(), layouts()
    ours = getattr(bridge, name)(ps, **hyper)
    theirs = getattr(torch.optim, name)(qs, **hyper, foreach=False)
    for t in range(5):
        for p, q in zip(ps, qs, strict=True):
            g = torch.randn_like(p) if t % 2 else torch.randn(p.shape)
            p.grad, q.grad = g, g.clone()
        ours.step()
        theirs.step()
        if t == 2:
            ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    for p, q in zip(ps, qs, strict=True):
        torch.testing.assert_close(p, q)
        assert p.stride() == q.stride()
    state = next(value for key, value in ours.state[ps[0]].items() if key != "step") if name != "SGD" else None
    assert state is None or state.is_contiguous(memory_format=torch.channels_last)
    assert ours.state[ps[1]]["step"] == (3 if name == "SGD" else 5)  # torch's SGD does not count


@pytest.mark.parametrize("name", ["adamw", "muon", "lookahead", "prodigy"])
def test_other_parameters_have_gradients_at_every_step(name):
    """As in a mixture of experts; equal to the native optimizer in bits, and no table is made anew for it."""
    torch.manual_seed(1)
    ps = [torch.nn.Parameter(torch.randn(shape)) for shape in [(3, 4), (5,), (1,), (2, 2), (40,), (6,)]]
    ours = ts.create_optimizer(name, ps)
    qs = [ts.tensor(p.detach().numpy().copy(), requires_grad=True) for p in ps]
    native = ts.create_optimizer(name, qs)
    for t in range(40):
        for index, (p, q) in enumerate(zip(ps, qs, strict=True)):
            p.grad = torch.randn(p.shape) if (t * t + index) % 3 or t == 1 else None
            q.grad = None if p.grad is None else p.grad.numpy()
        if t == 30:
            ps[1].data = ps[1].data.clone()
        ours.step()
        native.step()
        for p, q in zip(ps, qs, strict=True):
            assert p.detach().numpy().tobytes() == q.data.tobytes()
            if p in ours.state:
                assert ours.state[p]["step"] == native.state[q]["step"]
    assert ours._native.step_engine.builds <= 3


def test_memory_of_a_parameter_may_be_replaced():
    (model, ours), (other, theirs) = pair("Adam")
    for m, optimizer in ((model, ours), (other, theirs)):
        train(m, optimizer, 3)
        kept = [p.data for p in m.parameters()]
        for p in m.parameters():
            p.data = p.data * 0.5
        train(m, optimizer, 3)
        for p, data in zip(m.parameters(), kept, strict=True):  # as an average of weights is put in and taken out
            p.data = data
        train(m, optimizer, 3)
        m[0].weight.data = m[0].weight.data.t().contiguous().t()
        train(m, optimizer, 3)
    same(model, other)


def test_autograd_is_told_of_the_change():
    """B29 of pitfalls.md."""
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = bridge.SGD([w])
    for _ in range(2):
        loss = (w * w).sum()
        w.grad = torch.ones(3)
        version = w._version
        optimizer.step()
        assert w._version == version + 1
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()
    w.grad = None
    optimizer.step()
    assert w._version == version + 1


def test_overlapping_parameters_are_refused_by_name():
    base = torch.ones(10)
    p, q = torch.nn.Parameter(base[:6]), torch.nn.Parameter(base[4:])
    p.grad, q.grad = torch.ones(6), torch.ones(6)
    with pytest.raises(ValueError, match=r"memory overlaps.*parameter 0.*parameter 1"):
        bridge.SGD([p, q]).step()
    assert base.tolist() == [1.0] * 10


def test_zero_grad_and_a_step_without_gradients():
    model = network()
    optimizer = bridge.Adam(model.parameters())
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step()
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))
    assert not optimizer.state
    train(model, optimizer, 1)
    optimizer.zero_grad(set_to_none=False)
    assert all(not p.grad.any() for p in model.parameters())
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_clipping_is_the_core_s():
    (model, ours), (other, theirs) = pair("Adam")
    ours = bridge.Adam(model.parameters(), lr=0.02, max_grad_norm=0.1)
    for _ in range(5):
        for m in (model, other):
            m.zero_grad()
            ((m(X.double()) - Y) ** 2).mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(other.parameters(), 0.1)
        ours.step()
        theirs.step()
        assert ours.last_step.grad_norm == pytest.approx(norm.item(), rel=1e-12)
    same(model, other)


def test_a_step_is_compiled_and_kept():
    model = network()
    optimizer = bridge.Adam(model.parameters())
    train(model, optimizer, 5)
    assert optimizer.last_step.isa != "numpy"
    assert optimizer._native.step_engine.builds == 1


def test_import_of_trainstation_imports_no_torch():
    import subprocess
    import sys

    code = (
        "import sys, trainstation as ts; p = ts.tensor([1.0], requires_grad=True); ts.create_optimizer('adam', [p]); "
        "ts.create_optimizer('adam', iter([p])); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_native_parameters_stay_native_beside_torch():
    p = ts.tensor(np.ones(3), requires_grad=True)
    for params in ([p], iter([p]), [("p", p)], [{"params": [p]}], None):
        assert isinstance(ts.create_optimizer("adam", params), ts.optimizers.Adam)
    with pytest.raises(TypeError, match="iterable of Tensors or dicts, but got ndarray"):
        ts.create_optimizer("adam", np.ones(3))
    with pytest.raises(TypeError, match="an iterable of Tensors or dicts, but got torch"):
        ts.create_optimizer("adam", torch.nn.Parameter(torch.ones(3)))
