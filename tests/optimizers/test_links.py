"""Linking, rates and states: what an optimizer is told and can be asked."""

import copy
import json
import os
import pickle
import signal
import threading
import weakref

import numpy as np
import pytest

import trainstation as ts
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop

ALL = [Adam, AdamW, SGD, RMSprop]
every = pytest.mark.parametrize("kind", ALL)
HYPER = {
    Adam: {"amsgrad": True, "weight_decay": 0.1},
    AdamW: {},
    SGD: {"momentum": 0.9},
    RMSprop: {"centered": True, "momentum": 0.5},
}


def parameter(seed=0, shape=(3, 2), dtype=np.float32):
    rng = np.random.default_rng(seed)
    p = ts.tensor(rng.standard_normal(shape).astype(dtype), requires_grad=True)
    p.grad = rng.standard_normal(shape).astype(dtype)
    return p


def test_learning_rates():
    optimizer = Adam()
    assert optimizer.learning_rate() == 1e-3
    optimizer.set_learning_rate(0.5)
    assert optimizer.learning_rate() == optimizer.defaults["lr"] == 0.5
    optimizer.add_parameter(parameter())
    optimizer.add_param_group({"params": [parameter()], "lr": 0.25, "name": "head"})
    assert optimizer.learning_rate() == 0.5
    assert optimizer.learning_rate(1) == optimizer.learning_rate("head") == 0.25
    optimizer.set_learning_rate(0.125, "head")
    assert (optimizer.learning_rate(0), optimizer.learning_rate(1)) == (0.5, 0.125)
    optimizer.set_learning_rate(0.75)
    assert [group["lr"] for group in optimizer.param_groups] == [0.75, 0.75]
    assert optimizer.defaults["lr"] == 0.75


def test_linking_and_unlinking():
    p, q = parameter(0), parameter(1)
    optimizer = Adam()
    optimizer.add_parameters([p])
    optimizer.add_parameter(q)
    assert optimizer.parameter_count() == 2
    assert len(optimizer.param_groups) == 1
    assert optimizer.is_parameter_linked(p)
    assert not optimizer.is_parameter_linked(parameter(0))
    optimizer.step()
    assert optimizer.unlink_parameter(p)
    assert not optimizer.unlink_parameter(p)
    assert not optimizer.is_parameter_linked(p)
    assert p not in optimizer.state
    optimizer.add_parameter(p)
    optimizer.step()
    assert (optimizer.state[p]["step"], optimizer.state[q]["step"]) == (1, 2)


def test_clear_states_starts_anew():
    p, q = parameter(), parameter()
    optimizer = Adam([p])
    optimizer.step()
    optimizer.clear_states()
    assert not optimizer.state
    p.data = q.data.copy()
    optimizer.step()
    Adam([q]).step()
    assert p.data.tobytes() == q.data.tobytes()


def test_relinked_parameters_take_over_the_state_in_order():
    old, new = [parameter(0), parameter(1, (4,))], [parameter(0), parameter(1, (4,))]
    optimizer, reference = Adam(old), Adam(new)
    for each in (optimizer, reference):
        each.step()
    others = [ts.tensor(p.data, requires_grad=True) for p in new]
    for p, other in zip(new, others, strict=True):
        other.grad = p.grad.data.copy()
    optimizer.relink_parameters(others)
    optimizer.step()
    reference.step()
    assert [p.data.tobytes() for p in others] == [p.data.tobytes() for p in new]
    assert not optimizer.is_parameter_linked(old[0])


def test_relinking_what_does_not_fit_changes_nothing():
    p = parameter()
    optimizer = Adam([p])
    with pytest.raises(ValueError, match="1 parameters are linked, 2 were given"):
        optimizer.relink_parameters([parameter(), parameter()])
    with pytest.raises(ts.ShapeError, match="parameter 0"):
        optimizer.relink_parameters([parameter(shape=(2, 3))])
    assert optimizer.is_parameter_linked(p)


def test_named_parameters_keep_their_names_when_more_come():
    optimizer = Adam([("weight", parameter())])
    optimizer.add_parameters([("bias", parameter()), ("scale", parameter())])
    optimizer.unlink_parameter(optimizer.param_groups[0]["params"][1])
    assert optimizer.param_groups[0]["param_names"] == ["weight", "scale"]


def test_generators_and_single_parameters_in_groups_are_accepted():
    optimizer = Adam(p for p in [parameter(), parameter()])
    optimizer.add_param_group({"params": parameter()})
    assert optimizer.parameter_count() == 3


def test_repr_shows_the_groups():
    assert "group 1: 1 parameters" in repr(Adam([{"params": [parameter()]}, {"params": [parameter()]}]))


@every
def test_a_resumed_run_gives_the_same_bits_from_any_step(kind):
    def grown(steps, seed=3):
        p = [parameter(0), parameter(1, (5,))]
        optimizer = kind(p, **HYPER[kind])
        run(optimizer, p, range(steps))
        return p, optimizer

    def run(optimizer, params, steps):
        for t in steps:
            for p in params:
                p.grad = np.random.default_rng(t).standard_normal(p.shape).astype(np.float32)
            optimizer.step()

    whole, _ = grown(12)
    for k in range(12):
        saved, first = grown(k)
        params = [ts.tensor(p.data, requires_grad=True) for p in saved]
        second = kind(params, lr=0.7)
        second.load_state_dict(first.state_dict())
        run(second, params, range(k, 12))
        assert [p.data.tobytes() for p in params] == [p.data.tobytes() for p in whole], k


@every
def test_state_dicts_copy(kind):
    p, q = parameter(), parameter()
    first, second = kind([p], **HYPER[kind]), kind([q], **HYPER[kind])
    first.step()
    saved = first.state_dict()
    kept = copy.deepcopy(saved)
    second.load_state_dict(saved)
    second.step()
    first.step()
    second.param_groups[0]["lr"] = 9.0
    for name, value in kept["state"][0].items():
        assert np.array_equal(saved["state"][0][name], value), name
    assert saved["param_groups"] == kept["param_groups"]


def test_a_state_dict_has_torchs_form():
    p = parameter()
    optimizer = Adam([p])
    optimizer.step()
    saved = optimizer.state_dict()
    assert set(saved) == {"state", "param_groups"}
    assert set(saved["state"][0]) == {"step", "exp_avg", "exp_avg_sq"}
    assert saved["state"][0]["step"] == 1
    assert saved["param_groups"][0]["params"] == [0]
    json.dumps(saved["param_groups"])


@pytest.mark.parametrize(
    ("kind", "first", "then"),
    [
        (Adam, {"amsgrad": True}, {"amsgrad": False}),
        (Adam, {"amsgrad": False}, {"amsgrad": True}),
        (SGD, {"momentum": 0.9}, {"momentum": 0}),
        (SGD, {"momentum": 0}, {"momentum": 0.9}),
        (RMSprop, {"centered": True}, {"centered": False}),
    ],
)
def test_an_optimizer_takes_back_its_own_state_dict_after_a_change_of_flags(kind, first, then):
    p, q = parameter(), parameter()
    results = []
    for each in (p, q):
        optimizer = kind([each], **first)
        optimizer.step()
        optimizer.param_groups[0].update(then)
        if each is q:
            optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        results.append(each.data.tobytes())
    assert results[0] == results[1]


def test_a_state_dict_leaves_out_what_was_unlinked_by_hand():
    p, q = parameter(0), parameter(1)
    optimizer = Adam([{"params": [p]}, {"params": [q]}])
    optimizer.step()
    del optimizer.param_groups[1]
    assert set(optimizer.state_dict()["state"]) == {0}


def test_a_state_dict_keeps_no_list_that_the_group_has():
    betas = [0.9, 0.99]
    optimizer = Adam([parameter()], betas=betas)
    saved = optimizer.state_dict()
    betas[0] = 0.5
    assert saved["param_groups"][0]["betas"] == [0.9, 0.99]


def test_what_was_unlinked_or_forgotten_is_released():
    p = parameter()
    optimizer = Adam([p, parameter(1)])
    optimizer.step()
    watched = [weakref.ref(p.data), weakref.ref(optimizer.state[p]["exp_avg"])]
    optimizer.unlink_parameter(p)
    del p
    assert [watch() for watch in watched] == [None, None]


def test_relinking_a_parameter_twice_is_refused():
    optimizer, p = Adam([parameter(), parameter()]), parameter()
    with pytest.raises(ValueError, match="more than one"):
        optimizer.relink_parameters([p, p])


def test_a_parameter_moved_to_another_group_by_hand_takes_its_rate():
    p, q = parameter(), parameter()
    optimizer = SGD([{"params": [p], "lr": 0.5}, {"params": [q], "lr": 0.0}])
    optimizer.step()
    before = p.data.copy()
    optimizer.param_groups[1]["params"].append(optimizer.param_groups[0]["params"].pop())
    optimizer.step()
    assert np.array_equal(p.data, before)


def test_parameters_with_fewer_names_than_parameters():
    p, q = parameter(), parameter()
    optimizer = Adam([("weight", p)])
    optimizer.param_groups[0]["params"].append(q)
    optimizer.step()
    assert optimizer.unlink_parameter(q)
    assert q not in optimizer.state
    with pytest.raises(ValueError, match="param_names"):
        Adam([{"params": [p, q], "param_names": ["weight"]}])


def test_a_state_dict_of_nothing_stepped_can_be_loaded():
    p = parameter()
    Adam([p]).load_state_dict(Adam([parameter()]).state_dict())


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda s: s["param_groups"].append({"params": []}), ValueError, "number of parameter groups"),
        (lambda s: s["param_groups"][0]["params"].append(1), ValueError, "number of parameter"),
        (lambda s: s["param_groups"][0].update(momentum=0.9), ValueError, "'momentum', which Adam lacks"),
        (lambda s: s["param_groups"][0].update(lr=float("nan")), ValueError, "Invalid learning rate"),
        (lambda s: s["state"][0].pop("exp_avg"), ValueError, "exp_avg"),
        (lambda s: s["state"][0].update(square_avg=np.ones((3, 2))), ValueError, "square_avg"),
        (lambda s: s["state"][0].update(step=-1), ValueError, "step is -1"),
        (lambda s: s["state"][0].update(step=1.5), ValueError, "step is 1.5"),
        (lambda s: s["state"][0].update(exp_avg=np.ones((2, 3), np.float32)), ts.ShapeError, r"\(2, 3\)"),
        (lambda s: s["state"][0].update(exp_avg=np.ones((3, 2))), ts.ShapeError, "float64"),
        (lambda s: s["state"].update({7: s["state"][0]}), ValueError, "state of 7, which no group names"),
        (lambda s: s["state"].update({"0": s["state"].pop(0)}), ValueError, "no group names"),
        (lambda s: s.pop("state"), ValueError, "keys state and param_groups"),
    ],
)
def test_a_state_dict_that_does_not_fit_changes_nothing(spoil, error, message):
    p = parameter()
    optimizer = Adam([p], lr=0.1)
    optimizer.step()
    saved, before = optimizer.state_dict(), optimizer.state_dict()
    saved["param_groups"][0]["lr"] = 0.7
    spoil(saved)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert all(np.array_equal(after["state"][0][name], value) for name, value in before["state"][0].items())


@every
def test_what_a_user_has_noted_in_a_group_comes_along(kind):
    one, other = kind([parameter()], **HYPER[kind]), kind([parameter()])
    one.param_groups[0]["note"] = ["head"]
    one.step()
    saved = one.state_dict()
    other.load_state_dict(saved)
    saved["param_groups"][0]["note"].append("tail")
    assert other.param_groups[0]["note"] == ["head"]
    other.step()
    assert int(other.state[other.param_groups[0]["params"][0]]["step"]) == 2


@every
def test_the_state_of_another_optimizer_is_refused(kind):
    other = ALL[(ALL.index(kind) + 2) % 4]
    optimizer = other([parameter()], **HYPER[other])
    optimizer.step()
    with pytest.raises(ValueError, match="lacks"):
        kind([parameter()]).load_state_dict(optimizer.state_dict())


@every
def test_eight_threads_stepping_one_optimizer_lose_no_step(kind):
    p = parameter()
    optimizer = kind([p], **HYPER[kind])
    threads = [threading.Thread(target=lambda: [optimizer.step() for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert optimizer.learning_rate() > 0
    for thread in threads:
        thread.join()
    alone = parameter()
    single = kind([alone], **HYPER[kind])
    for _ in range(400):
        single.step()
    assert optimizer.state[p]["step"] == 400
    assert p.data.tobytes() == alone.data.tobytes()


@every
def test_eight_threads_with_eight_optimizers_give_the_bits_of_each_alone(kind):
    def run(seed):
        p = parameter(seed, (1000,))
        optimizer = kind([p], **HYPER[kind])
        for _ in range(50):
            optimizer.step()
        return p.data.tobytes()

    results = {}
    threads = [threading.Thread(target=lambda seed=seed: results.update({seed: run(seed)})) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {seed: run(seed) for seed in range(8)}


def test_a_forked_child_steps_although_the_lock_was_held():
    p = parameter()
    optimizer = Adam([p])
    optimizer.step()
    held, release = threading.Event(), threading.Event()

    def hold():
        with optimizer._lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)  # ends a child that waits for the lock
            optimizer.step()
        finally:
            os._exit(int(optimizer.state[p]["step"]))
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


class Plain:
    """A parameter that can be pickled."""

    def __init__(self):
        self.data, self.grad = np.ones(3, np.float32), np.full(3, 0.5, np.float32)


@every
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies_and_pickles_go_on_with_the_same_bits(kind, clone):
    p = Plain()
    optimizer = kind([p], **HYPER[kind])
    optimizer.step()
    other = clone(optimizer)
    optimizer.step()
    other.step()
    assert other.param_groups[0]["params"][0].data.tobytes() == p.data.tobytes()
    assert other.param_groups[0]["params"][0] is not p
