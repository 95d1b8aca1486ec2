"""Every peer whose library is installed: what it computes, and what is timed."""

import itertools
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from trainstation_peers import PIP

import trainstation as ts
from trainstation.bench.speed.entrants import Parity, bare, link
from trainstation.create import parse

NAMES = ts.list_optimizers(tags="peer")
INSTALLED = [name for name in NAMES if find_spec(name.partition(".")[0])]
DEFAULTS = [
    name for name in INSTALLED if not name.endswith(("fused", "foreach", "inplace"))
]  # one of each class's kind


@pytest.fixture(autouse=True)
def one_thread():
    """Where other work runs as well, OpenMP's threads wait for one another a thousand times longer than they work."""
    with threadpool_limits(1):
        yield


def rule(name):
    """The built-in that a peer computes."""
    [found] = set(ts.optimizer_info(name).tags) - {"peer"}
    return found


def parameters(count=3, dtype=np.float32, seed=0):
    """Parameters of several shapes, each with a gradient."""
    rng = np.random.default_rng(seed)
    shapes = [(30, 20), (7,), (), (2, 3, 4)][:count]
    arrays = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    return link(arrays, [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes])


def close(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(one.data, other.data, rtol=1e-5, atol=1e-6)


def test_names_and_tags():
    families = {each: ts.list_optimizers(tags=("peer", each)) for each in ("adam", "adamw", "sgd", "rmsprop")}
    assert families["adam"] == [
        *("deepspeed.cpuadam", "numpy.adam", "numpy.adam_inplace", "optax.adam"),
        *("torch.adam", "torch.adam_foreach", "torch.adam_fused"),
    ]
    assert families["adamw"] == [name.replace("adam", "adamw") for name in families["adam"]]
    assert families["sgd"] == [name.replace("adam", "sgd") for name in families["adam"][1:]]
    assert families["rmsprop"] == [name.replace("sgd", "rmsprop") for name in families["sgd"][:-1]]
    assert sorted(itertools.chain(*families.values())) == NAMES
    for name in NAMES:
        info = ts.optimizer_info(name)
        assert (info.distribution, info.origin, info.rule) == ("trainstation-peers", "plugin", None)
        assert info.defaults.items() <= ts.optimizer_info(rule(name)).defaults.items()
        assert info.summary.startswith("absent (pip install ") == (name not in INSTALLED)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("options", ["", "weight_decay=0.1", "other"])
def test_is_what_the_native_one_is_in_float64(name, options):
    if options == "other":
        others = {"adam": "lr=0.01,betas=(0.8,0.95),eps=0.001", "sgd": "lr=0.1,momentum=0.9,weight_decay=0.01"}
        options = {**others, "adamw": others["adam"], "rmsprop": "lr=0.001,alpha=0.9,eps=0.001"}[rule(name)]
    parity = Parity.of(parse(f"{name}:{options}"), ((300, 20), (), (7,)), "float32")
    assert parity.wrong == ""
    assert parity.max_err > 0


@pytest.mark.parametrize("name", [name for name in INSTALLED if name.startswith(("torch", "numpy"))])
def test_double_precision(name):
    parity = Parity.of(parse(name), ((300, 20), (7,)), "float64")
    assert parity.wrong == ""
    assert parity.max_err < 1e-12


@pytest.mark.parametrize("name", [name for name in INSTALLED if name.startswith(("optax", "deepspeed"))])
def test_double_precision_is_refused_where_it_would_be_rounded(name):
    optimizer = ts.create_optimizer(name, parameters(dtype=np.float64))
    with pytest.raises(TypeError, match="compared in float32 only"):
        optimizer.step()


@pytest.mark.parametrize("name", INSTALLED)
def test_the_bare_call_is_the_step(name):
    stepped, bared = parameters(), parameters()
    options = {"momentum": 0.9} if rule(name) == "sgd" else {}
    one, two = ts.create_optimizer(name, stepped, **options), ts.create_optimizer(name, bared, **options)
    for _ in range(5):
        one.step()
    call = bare(two)
    for _ in range(5):
        call()
    two.finish()
    close(stepped, bared)
    assert all((p.data != q.data).all() for p, q in zip(stepped, parameters(), strict=True))


@pytest.mark.parametrize("name", [name for name in INSTALLED if not name.startswith("optax")])
def test_parameters_and_gradients_are_shared_memory(name):
    [p] = parameters(1)
    begin = p.data.copy()
    call = bare(ts.create_optimizer(name, [p]))
    call()
    assert (p.data != begin).all()
    p.grad.data[...] = 0
    p.data[...] = 1
    for _ in range(2000):  # only what is left of the first gradient moves it, less and less
        call()
    moved = p.data.copy()
    call()
    assert np.abs(p.data - moved).max() < 1e-4


@pytest.mark.parametrize("name", DEFAULTS)
def test_groups_and_rates_are_read_at_each_step(name):
    ours, theirs = parameters(4), parameters(4)

    def train(optimizer, all_of):
        optimizer.step()
        optimizer.set_learning_rate(0.05)
        optimizer.param_groups[0]["lr"] = 0.02
        for p in all_of:
            p.grad = np.full_like(p.data, 0.5)
        optimizer.step()

    def groups(all_of):
        return [{"params": all_of[:2], "lr": 0.1}, {"params": all_of[2:], "weight_decay": 0.1, "lr_scale": 0.5}]

    train(ts.create_optimizer(rule(name), groups(ours)), ours)
    train(ts.create_optimizer(name, groups(theirs)), theirs)
    close(ours, theirs)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_parameter_without_a_gradient(name):
    ours, theirs = parameters(), parameters()
    ours[1].grad = theirs[1].grad = None
    ts.create_optimizer(rule(name), ours).step()
    optimizer = ts.create_optimizer(name, theirs)
    if name.startswith("optax"):
        with pytest.raises(ts.MissingGradientError):
            optimizer.step()
    else:
        optimizer.step()
        close(ours, theirs)


@pytest.mark.parametrize("name", DEFAULTS)
def test_trains_as_the_native_one_does(name):
    results = []
    for each in (name, rule(name)):
        ts.manual_seed(0)
        model = ts.nn.Sequential(ts.nn.Linear(5, 8), ts.nn.ReLU(), ts.nn.Linear(8, 1))
        inputs = ts.Tensor.randn([32, 5], seed=1)
        optimizer = ts.create_optimizer(each, model.parameters(), lr=0.01)

        def loss(model=model, inputs=inputs, optimizer=optimizer):
            optimizer.zero_grad()
            value = (model(inputs) ** 2).mean()
            value.backward()
            return value

        for _ in range(20):
            last = optimizer.step(loss)
        results.append((last.item(), list(model.parameters())))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-4)
    close(results[0][1], results[1][1])


@pytest.mark.parametrize("name", DEFAULTS)
def test_what_a_library_would_not_see_is_refused(name):
    with pytest.raises(TypeError, match="maximize"):
        ts.create_optimizer(name, maximize=True)
    with pytest.raises(ValueError, match="is not compared with maximize=True"):
        ts.create_optimizer(name, [{"params": parameters(), "maximize": True}])
    with pytest.raises(ValueError, match="learning rate"):
        ts.create_optimizer(name, lr=-1)
    optimizer = ts.create_optimizer(name, parameters(2))
    with pytest.raises(TypeError, match="steps all of its parameters"):
        optimizer.step(optimizer.param_groups[0]["params"])
    optimizer.step()
    optimizer.add_parameter(parameters()[2])
    with pytest.raises(ValueError, match="fixed with its first step"):
        optimizer.step()
    for call in (optimizer.state_dict, lambda: optimizer.load_state_dict({})):
        with pytest.raises(NotImplementedError, match="cannot be saved"):
            call()


@pytest.mark.parametrize("name", DEFAULTS)
def test_it_can_start_anew(name):
    ours, theirs = parameters(), parameters()
    optimizer = ts.create_optimizer(name, theirs[:2])
    for _ in range(3):
        optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        q.data[...] = p.data
    optimizer.clear_states()
    optimizer.add_parameter(theirs[2])
    ts.create_optimizer(rule(name), ours).step()
    optimizer.step()
    close(ours, theirs)


@pytest.mark.parametrize("name", INSTALLED)
def test_knows_its_librarys_version(name):
    package = name.partition(".")[0]
    assert ts.get_optimizer(name).version() == sys.modules[package].__version__


@pytest.mark.parametrize("package", [package for package in PIP if package != "numpy"])
def test_an_absent_package_is_listed_with_its_pip_line_and_the_others_go_on(tmp_path, package):
    def command(*arguments):
        code = f"import sys; sys.modules[{package!r}] = None; from trainstation.cli import main; main()"
        done = [sys.executable, "-c", code, *arguments]
        one = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(done, cwd=tmp_path, capture_output=True, text=True, check=False, env=one)

    absent = [name for name in NAMES if name.startswith(package)]
    listed = command("list", f"{package}.*").stdout.splitlines()
    assert [line.split()[0] for line in listed] == absent
    assert all(f"  absent ({PIP[package]}); " in line for line in listed)

    timed = command("speed", "numpy.adam", absent[0], "--sizes", "8", "--threads", "1", "--samples", "5", "--json")
    assert timed.returncode == 0, timed.stderr
    rows = {row["peer"]: row for row in map(json.loads, timed.stdout.splitlines()) if row["kind"] == "speed"}
    assert rows["numpy.adam"]["status"] == "done"
    assert rows[absent[0]]["status"] == "not_installed"
    assert f"{absent[0]}: {package} is absent: {PIP[package]}" in timed.stderr

    trained = command("bench", absent[0], "--epochs", "1")
    assert trained.returncode == 3
    assert f"ImportError: {package} is absent: {PIP[package]}" in trained.stdout
