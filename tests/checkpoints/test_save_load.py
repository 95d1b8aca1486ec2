"""What is saved comes back, to the bit; what does not fit is refused, and nothing is changed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

import trainstation as ts
from trainstation.checkpoints.naming import described
from trainstation.testing import isolated_plugins

# Those that are installed: here the built-in ones; .ci/run comes back with all plugins.
FIRST_PARTY = [n for n in ts.list_optimizers() if "/" not in n and n not in ts.list_optimizers(tags=["peer"])]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def network(seed=0, width=6):
    ts.manual_seed(seed)
    return ts.nn.Sequential(ts.nn.Linear(4, width), ts.nn.ReLU(), ts.nn.Linear(width, 3))


def run(name, **hyper):
    model = network()
    optimizer = ts.create_optimizer(name, model.named_parameters(), **hyper)
    return model, optimizer, ts.schedulers.LinearLR(optimizer, 0.1, 1.0, 9)


def train(model, optimizer, scheduler, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (model(ts.Tensor.randn([5, 4])) ** 2).mean().backward()
        optimizer.step()
        scheduler.step()


def everything(model=None, optimizer=None, scheduler=None, average=None):
    """All bytes and numbers of a run, to be compared."""
    found = [] if model is None else [tensor.data.tobytes() for tensor in model.state_dict().values()]
    if optimizer is not None:
        found += [repr(walk(optimizer.state_dict()))]
    if scheduler is not None:
        found += [repr(scheduler.state_dict())]
    if average is not None:
        found += [repr(walk(average.state_dict()))]
    return [*found, repr(ts.random.get_state())]


def walk(value):
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: walk(each) for key, each in sorted(value.items())}
    return [walk(each) for each in value] if isinstance(value, list) else value


def averaged(model, optimizer):
    """The model of an optimizer that does more than a step."""
    return optimizer if type(optimizer).step is ts.optimizers.Optimizer.step else model


def resumed(path, k, name, schedule=None, **hyper):
    """Compare a run that was saved and loaded after k steps with one that was not."""

    def made():
        model, optimizer, scheduler = run(name, **hyper)
        scheduler = schedule(optimizer) if schedule else scheduler
        return {
            "model": model,
            "optimizer": optimizer,
            "scheduler": scheduler,
            "average": ts.EMA(averaged(model, optimizer), 0.9),
        }

    def train_on(run, steps):
        train(run["model"], run["optimizer"], run["scheduler"], steps)

    whole, again = made(), made()
    ts.manual_seed(1)
    train_on(whole, k)
    ts.save(path, **whole)
    train_on(whole, 3)
    expected = everything(**whole)
    ts.load(path, **again)
    train_on(again, 3)
    assert everything(**again) == expected


s = ts.schedulers
SCHEDULES = {
    "LambdaLR": lambda o: s.LambdaLR(o, lambda step: 0.9**step),
    "MultiplicativeLR": lambda o: s.MultiplicativeLR(o, lambda step: 0.9 if step % 2 else 1.1),
    "StepLR": lambda o: s.StepLR(o, 3),
    "MultiStepLR": lambda o: s.MultiStepLR(o, [2, 7, 7, 15]),
    "ConstantLR": lambda o: s.ConstantLR(o, 0.3, 6),
    "ExponentialLR": lambda o: s.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: s.PolynomialLR(o, 15, 2.0),
    "CosineAnnealingLR": lambda o: s.CosineAnnealingLR(o, 7, 1e-4),
    "CosineAnnealingWarmRestarts": lambda o: s.CosineAnnealingWarmRestarts(o, 3, 2),
    "OneCycleLR": lambda o: s.OneCycleLR(o, 0.01, total_steps=40),
    "CyclicLR": lambda o: s.CyclicLR(o, 1e-4, 1e-2, 4, mode="exp_range", gamma=0.9),
    "SequentialLR": lambda o: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1, 5), s.StepLR(o, 2)], [5]),
    "ChainedScheduler": lambda o: s.ChainedScheduler([s.LinearLR(o, 0.1, 1, 5), s.ExponentialLR(o, 0.9)]),
    "SWALR": lambda o: s.SWALR(o, 1e-4, 6),
    "InverseSquareRootLR": lambda o: s.InverseSquareRootLR(o, 4),
    "WarmupStableDecayLR": lambda o: s.WarmupStableDecayLR(o, 3, 9, 6),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_schedule_is_resumed_to_the_bit_at_every_step(path, schedule):
    for k in range(21):
        resumed(path, k, "adam", schedule)


def test_no_schedule_was_forgotten():
    others = {
        "LRScheduler",
        "LinearLR",
        "ReduceLROnPlateau",
        "ScheduleLR",
    }  # bases, above, below
    assert set(s.__all__) == {*SCHEDULES, *others}


def test_a_plateau_is_resumed_to_the_bit(path):
    metrics = [3.0, 2.0, *[2.5] * 9, 1.0, *[2.5] * 9]
    for k in range(21):
        _, optimizer, _ = run("adam")
        scheduler = s.ReduceLROnPlateau(optimizer, patience=1, cooldown=2)
        _, twin, _ = run("adam")
        again = s.ReduceLROnPlateau(twin, patience=1, cooldown=2)
        for metric in metrics[:k]:
            scheduler.step(metric)
        ts.save(path, optimizer=optimizer, scheduler=scheduler)
        ts.load(path, optimizer=twin, scheduler=again)
        for metric in metrics[k:]:
            scheduler.step(metric)
            again.step(metric)
        assert everything(None, optimizer, scheduler) == everything(None, twin, again)


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_a_resumed_run_goes_on_to_the_bit(path, name):
    for k in (0, 1, 4):
        resumed(path, k, name)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FIRST_PARTY)
def test_a_resumed_run_goes_on_to_the_bit_at_every_step(path, name):
    for k in range(21):
        resumed(path, k, name)


@pytest.mark.parametrize("name", FIRST_PARTY)
@pytest.mark.parametrize("state_dtype", ["bfloat16", "8bit"])
def test_states_kept_narrower_are_resumed_to_the_bit(path, monkeypatch, name, state_dtype):
    monkeypatch.setattr("trainstation.optimizers.stepping.codec.LEAST_8BIT", 8)
    resumed(path, 3, name, state_dtype=state_dtype)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FIRST_PARTY)
@pytest.mark.parametrize("state_dtype", ["bfloat16", "8bit"])
def test_states_kept_narrower_are_resumed_to_the_bit_at_every_step(path, monkeypatch, name, state_dtype):
    monkeypatch.setattr("trainstation.optimizers.stepping.codec.LEAST_8BIT", 8)
    for k in range(21):
        resumed(path, k, name, state_dtype=state_dtype)


def test_a_fresh_process_goes_on(path):
    model, optimizer, _ = whole = run("adamw")
    train(*whole, 2)
    ts.save(path, model=model, optimizer=optimizer)
    code = """if True:
        import sys, trainstation as ts
        model = ts.nn.Sequential(ts.nn.Linear(4, 6), ts.nn.ReLU(), ts.nn.Linear(6, 3))
        optimizer = ts.create_optimizer("adamw", model.parameters())
        ts.load(sys.argv[1], model=model, optimizer=optimizer)
        model(ts.Tensor.randn([5, 4])).sum().backward()
        optimizer.step()
        print(b"".join(p.data.tobytes() for p in model.parameters()).hex())
    """
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60)
    optimizer.zero_grad()
    model(ts.Tensor.randn([5, 4])).sum().backward()
    optimizer.step()
    assert out.stdout.strip() == b"".join(p.data.tobytes() for p in model.parameters()).hex()


def test_an_optimizer_that_was_not_made_by_name_is_of_the_same_distribution():
    with isolated_plugins():  # where no name was asked for
        assert described(ts.optimizers.SGD()) == {"name": "sgd", "distribution": "trainstation-optim"}


def test_the_file_is_one_of_safetensors(path):
    from safetensors import safe_open

    model, optimizer, _ = whole = run("adamw", state_dtype="bfloat16")
    train(*whole, 2)
    ts.save(path, model=model, optimizer=optimizer)
    with safe_open(path, "numpy") as file:
        document = json.loads(file.metadata()["trainstation"])
        tags = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  # not a dict
    assert {tag for name, tag in tags.items() if name.startswith("optimizer/")} == {"BF16"}
    assert {tag for name, tag in tags.items() if name.startswith("model/")} == {"F32"}
    said = document["optimizer"]
    assert (document["format"], said["name"], said["distribution"]) == (1, "adamw", "trainstation-optim")
    assert said["parameters"]["0.bias"] == {"shape": [6], "dtype": "float32"}
    assert [state["step"] for state in said["state"].values()] == [2] * 4
    ts.save(path, model=model)
    np.testing.assert_array_equal(load_file(path)["model/0.bias"], model.state_dict()["0.bias"].data)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.integers() | st.sampled_from(["a", "a.b", "b", "$array", "k", ""])
TREES = st.recursive(PLAIN, lambda t: st.lists(t) | st.lists(t).map(tuple) | st.dictionaries(KEYS, t), max_leaves=9)


@given(TREES)
def test_extra_comes_back(tmp_path_factory, extra):
    path = tmp_path_factory.getbasetemp() / "extra.safetensors"
    ts.save(path, extra=extra)
    assert repr(ts.load(path)) == repr(extra)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?", ">f4"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3)])
def test_arrays_of_every_dtype_come_back(path, dtype, shape):
    array = np.arange(np.prod(shape, dtype=int) * 2).astype(dtype)[::2].reshape(shape)
    ts.save(path, extra={"a.b": array, "a": {"b": array + array}, "n": array.dtype.type(1)})
    found = ts.load(path)
    assert found["a.b"].dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found["a.b"], array)
    np.testing.assert_array_equal(found["a"]["b"], array + array)
    assert type(found["n"]) is array.dtype.type


def itself():
    made = []
    made.append(made)
    return made


@pytest.mark.parametrize("extra", [{"f": len}, {1, 2}, object(), np.array([None]), np.array(["s"]), itself(), "\ud800"])
def test_what_a_checkpoint_cannot_hold_is_refused(path, extra):
    ts.save(path, extra=1)
    with pytest.raises(ts.CheckpointError):
        ts.save(path, extra={"a": extra, "b": np.zeros(3)} if extra != "\ud800" else {extra: np.zeros(3)})
    assert ts.load(path) == 1


def saved(path, name="adamw", **hyper):
    whole = run(name, **hyper)
    train(*whole, 2)
    ts.save(path, model=whole[0], optimizer=whole[1], scheduler=whole[2])
    return whole


def refused(path, message, *, model=None, optimizer=None, scheduler=None, average=None, **options):
    """A load is refused, and nothing was changed."""
    whole = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "average": average}
    before = everything(**whole)
    with pytest.raises(ts.CheckpointError, match=message):
        ts.load(path, **whole, **options)
    assert everything(**whole) == before


def test_another_optimizer_is_refused(path):
    saved(path)
    model, optimizer, _ = run("adam")
    refused(path, "state of trainstation:AdamW .adamw., not of trainstation:Adam", model=model, optimizer=optimizer)
    model, optimizer, _ = run("adamw", state_dtype="bfloat16")
    refused(path, "state_dtype is None in the file, not 'bfloat16'", model=model, optimizer=optimizer)


def test_all_that_does_not_fit_is_listed(path):
    saved(path)
    model = network(width=7)
    with pytest.raises(ts.CheckpointError) as caught:
        ts.load(path, model=model)
    for words in ("0.weight has shape (6, 4)", "0.bias has shape (6,)", "2.weight has shape (3, 6)"):
        assert words in str(caught.value)
    model = ts.nn.Sequential(ts.nn.Linear(4, 6), ts.nn.Linear(6, 3))
    refused(path, "1.weight is missing in the file.*2.weight of the file is unexpected", model=model)
    refused(path, "dtype float32 in the file, not .*float64", model=network().double())
    refused(path, "the file has no 'nothing'", model=network(), rename={"nothing": "0.bias"})
    refused(path, "both", model=network(), rename={"0.bias": "2.bias"})


def test_names_of_today_may_be_given_or_passed_over(path):
    model, optimizer, _ = saved(path)
    other = ts.nn.Sequential(ts.nn.Linear(4, 6), ts.nn.Linear(6, 3))
    theirs = ts.create_optimizer("adamw", other.parameters())
    rename = {"2.weight": "1.weight", "2.bias": "1.bias"}
    ts.load(path, model=other, optimizer=theirs, rename=rename)
    for ours, that in zip(model.parameters(), other.parameters(), strict=True):
        assert ours.data.tobytes() == that.data.tobytes()
        assert walk(optimizer.state[ours]) == walk(theirs.state[that])
    other = ts.nn.Sequential(ts.nn.Linear(4, 6), ts.nn.Linear(6, 3))
    last = other.state_dict()["1.weight"].data.copy()
    ts.load(path, model=other, strict=False)
    assert other.state_dict()["1.weight"].data.tobytes() == last.tobytes()
    assert other.state_dict()["0.weight"].data.tobytes() == model.state_dict()["0.weight"].data.tobytes()


def test_order_is_to_be_asked_for(path):
    model = network()
    optimizer = ts.create_optimizer("adam", model.parameters())
    with pytest.raises(ts.CheckpointError, match=r"parameter 0 of group 0.*has no name.*by='order'"):
        ts.save(path, optimizer=optimizer)
    ts.save(path, optimizer=optimizer, by="order")
    ts.load(path, optimizer=optimizer, by="order")
    with pytest.raises(ts.CheckpointError, match=r"parameter 0 of group 0.*is not the model's"):
        ts.save(path, model=network(), optimizer=optimizer)


class Counting(ts.optimizers.Optimizer):
    """Writes into its group what no argument sets, as Prodigy does."""

    def __init__(self, params=None, lr=0.1):
        super().__init__(params, {"lr": lr, "stepped": 0})

    def scalars(self, hyper, t):
        return (hyper["lr"],)

    def update(self, p, g, state, scalars):
        p -= scalars[0] * g

    def prepare(self, active):
        self.param_groups[0]["stepped"] += 1


def test_hyper_parameters_are_restored_or_kept(path):
    model = network()
    optimizer = Counting(model, lr=0.5)
    train(model, optimizer, ts.schedulers.ConstantLR(optimizer, 1.0), 2)
    ts.save(path, model=model, optimizer=optimizer)
    for hypers, lr in (("restore", 0.5), ("keep", 0.25)):
        model = network()
        optimizer = Counting(model, lr=0.25)
        ts.load(path, model=model, optimizer=optimizer, hypers=hypers)
        assert optimizer.learning_rate() == lr
        assert optimizer.param_groups[0]["stepped"] == 2  # the optimizer's own, not a hyper-parameter
    with pytest.raises(ValueError, match="hypers is"):
        ts.load(path, hypers="forget")


def test_groups_are_those_of_the_file(path):
    model = network()
    first, second = list(model[0].named_parameters()), list(model[2].named_parameters())
    optimizer = ts.optimizers.SGD([{"params": [p for _, p in first]}, {"params": [p for _, p in second]}])
    ts.save(path, model=model, optimizer=optimizer)
    other = ts.optimizers.SGD([{"params": [first[0][1]]}, {"params": [first[1][1], *(p for _, p in second)]}])
    refused(path, "its parameters are grouped otherwise", model=model, optimizer=other)
    other.set_learning_rate(0.5)
    ts.load(path, model=model, optimizer=other, hypers="keep")
    assert other.learning_rate() == 0.5


def test_two_parameters_of_one_name_are_refused(path):
    layers = ts.nn.Linear(2, 2), ts.nn.Linear(2, 2)
    optimizer = ts.optimizers.SGD([{"params": layer} for layer in layers])
    with pytest.raises(ts.CheckpointError, match="two parameters of the optimizer are named 'weight'"):
        ts.save(path, optimizer=optimizer)
    ts.save(path, model=ts.nn.Sequential(*layers), optimizer=optimizer)  # which names them otherwise


def test_what_was_not_saved_cannot_be_loaded(path):
    model, optimizer, scheduler = run("sgd")
    ts.save(path, extra=7)
    refused(path, "no model was saved", model=model)
    refused(path, "no optimizer was saved", optimizer=optimizer)
    refused(path, "no scheduler was saved", scheduler=scheduler)
    refused(path, "no average was saved", average=ts.EMA(model))
    assert ts.load(path) == 7


def test_a_scheduler_that_does_not_fit_leaves_all_as_it_was(path):
    saved(path)
    model = network()
    optimizer = ts.create_optimizer("adamw", model.parameters())
    scheduler = ts.schedulers.ReduceLROnPlateau(optimizer)
    refused(path, "KeyError", model=model, optimizer=optimizer, scheduler=scheduler)
    model, optimizer, scheduler = run("adamw")
    optimizer.add_param_group({"params": [("more", ts.nn.Parameter(np.zeros(2, np.float32)))]})
    refused(path, "missing", model=model, optimizer=optimizer, scheduler=scheduler)


def test_an_average_that_does_not_fit_leaves_all_as_it_was(path):
    model, optimizer, scheduler = run("adamw")
    average = ts.EMA(model)
    ts.save(path, model=model, optimizer=optimizer, scheduler=scheduler, average=average)
    model, optimizer, scheduler = run("adamw")
    train(model, optimizer, scheduler, 2)
    for of in (model[0], [model[0].weight, model[2].weight]):
        refused(path, "averages of", model=model, optimizer=optimizer, scheduler=scheduler, average=ts.EMA(of))
    optimizer.param_groups[0]["lr"] = -1.0  # the optimizer refuses, after scheduler and average were filled
    average = ts.EMA(model)
    average.update()
    refused(path, "learning rate", model=model, optimizer=optimizer, scheduler=None, average=average, hypers="keep")


def test_the_shared_stream_goes_on_where_it_was_if_wanted(path):
    model, optimizer, _ = saved(path)
    stood = ts.random.get_state()
    for options, goes_on in (
        ({"optimizer": optimizer, "model": model}, True),
        ({"model": model}, False),
        ({"restore_random": True}, True),
        ({"optimizer": optimizer, "model": model, "restore_random": False}, False),
    ):
        ts.manual_seed(5)
        ts.load(path, **options)
        assert (ts.random.get_state() == stood) is goes_on


def test_a_file_of_this_format_can_be_read_by_every_later_version():
    """`format_1.safetensors` was written by 0.1.0: AdamW after two steps of a network of this width."""
    path = Path(__file__).with_name("format_1.safetensors")
    model, optimizer, scheduler = run("adamw")
    average = ts.EMA(optimizer, 0.9)
    extra = ts.load(path, model=model, optimizer=optimizer, scheduler=scheduler, average=average)
    assert (extra["epoch"], extra["best"], extra["at"].tolist()) == (2, float("inf"), [1.5, 2.5])
    assert [int(state["step"]) for state in optimizer.state.values()] == [2] * 4
    assert scheduler.last_epoch == average.n_averaged == 2
    theirs = load_file(path)
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), theirs[f"model/{name}"])
        np.testing.assert_array_equal(optimizer.state[parameter]["exp_avg"], theirs[f"optimizer/{name}.exp_avg"])
    train(model, optimizer, scheduler, 1)
