"""Steps of large tensors: by several callers, across a fork, and interrupted."""

import os
import signal
import threading

import numpy as np
import pytest
from cases import forked
from steps import VARIANTS, everything, variants, with_gradient

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import SGD, Adam

some = pytest.mark.parametrize(
    ("kind", "hyper"), [VARIANTS[1], VARIANTS[6], VARIANTS[10]], ids=["Adam", "SGD", "RMSprop"]
)


def optimizer_of(kind, hyper, seed=0, sizes=(40_000, 3, 0, 9_001)):
    rng = np.random.default_rng(seed)
    params = [with_gradient(rng.standard_normal(n), rng.standard_normal(n)) for n in sizes]
    return kind(params, **hyper)


def in_threads(functions):
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:  # noqa: BLE001  # told below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.parametrize("state_dtype", [None, "bfloat16", "8bit"])
@some
def test_eight_threads_with_eight_optimizers_give_the_bits_of_each_alone(threads, kind, hyper, state_dtype):
    kernels.set_num_threads(3)
    hyper = {**hyper, "state_dtype": state_dtype, "max_grad_norm": 1.0}

    def run(seed, results):
        optimizer = optimizer_of(kind, hyper, seed)
        for _ in range(5):
            optimizer.step()
        results[seed] = everything(optimizer), optimizer.last_step

    together, alone = {}, {}
    in_threads([lambda seed=seed: run(seed, together) for seed in range(8)])
    for seed in range(8):
        run(seed, alone)
    assert together == alone


@pytest.mark.parametrize("number", [1, 3])
@some
def test_eight_threads_stepping_one_optimizer_lose_no_step(threads, kind, hyper, number):
    kernels.set_num_threads(number)
    shared, alone = optimizer_of(kind, hyper), optimizer_of(kind, hyper)
    in_threads([lambda: [shared.step() for _ in range(10)] for _ in range(8)])
    for _ in range(80):
        alone.step()
    assert everything(shared) == everything(alone)
    assert all(state["step"] == 80 for state in shared.state.values())


def test_the_number_of_threads_may_change_while_others_step(threads):
    shared, alone = optimizer_of(Adam, {}), optimizer_of(Adam, {})
    stop = threading.Event()

    def change():
        while not stop.is_set():
            for number in (1, 2, 3, 7):
                kernels.set_num_threads(number)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        in_threads([lambda: [shared.step() for _ in range(20)] for _ in range(2)])
    finally:
        stop.set()
        changing.join()
    for _ in range(40):
        alone.step()
    assert everything(shared) == everything(alone)


@some
def test_a_child_forked_after_a_threaded_step_gives_the_same_bits(threads, kind, hyper):
    kernels.set_num_threads(3)
    one, other = optimizer_of(kind, hyper), optimizer_of(kind, hyper)
    one.step()
    other.step()
    other.step()
    wanted = everything(other)

    def child():
        one.step()
        assert everything(one) == wanted
        one.param_groups[0]["lr"] = 0.5
        one.step()

    assert forked(child, 10) == 0
    one.step()
    assert everything(one) == wanted


@variants
def test_an_interrupt_in_a_large_step_leaves_it_whole(threads, kind, hyper):
    """The parameters are those after as many steps as the counter says, and go on from there."""

    def child():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        kernels.set_num_threads(2)
        sizes = (1 << 19, 1 << 19)
        one, other = optimizer_of(kind, hyper, sizes=sizes), optimizer_of(kind, hyper, sizes=sizes)
        interrupted = made = 0
        for turn in range(5):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001 + 0.003 * turn)
                for _ in range(1000):
                    one.step()
            except KeyboardInterrupt:
                interrupted += 1
            done = {int(one.state[p]["step"]) if p in one.state else 0 for p in one.param_groups[0]["params"]}
            assert len(done) == 1
            for _ in range(max(done) - made):
                other.step()
            made = max(done)
            if made:
                assert everything(one) == everything(other)
            else:  # zeros for the first step may be there already
                assert [values for values, _ in everything(one)] == [values for values, _ in everything(other)]
        assert interrupted > 0  # one that comes in a __del__ is not raised

    assert forked(child) == 0


@pytest.mark.parametrize("state_dtype", [None, "bfloat16"])
@pytest.mark.parametrize("measured", [False, True])
def test_an_interrupt_anywhere_in_small_steps_leaves_them_whole(state_dtype, measured):
    """Each step moves the parameter by 1 and counts: whenever the interrupt comes, the two agree."""

    class AlarmError(Exception):
        pass

    def interrupt(*_):
        raise AlarmError

    def child():
        rng = np.random.default_rng(0)
        signal.signal(signal.SIGALRM, interrupt)
        optimizer = None
        seen = 0
        for turn in range(400):
            if turn % 8 == 0:
                params = [with_gradient(np.zeros(5), -np.ones(5)) for _ in range(3)]
                hyper = {"max_grad_norm": 1e9, "on_nonfinite": "skip"} if measured else {}
                optimizer = SGD(params, lr=1.0, state_dtype=state_dtype, **hyper)
            try:
                signal.setitimer(signal.ITIMER_REAL, float(rng.uniform(1e-5, 4e-4)))
                for _ in range(1000):
                    optimizer.step()
            except AlarmError:
                seen += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            for p in params:
                count = int(optimizer.state[p]["step"]) if p in optimizer.state else 0
                assert (p.data == count).all(), (turn, p.data, count)
        assert seen > 300  # one that comes in a __del__ is not raised

    assert forked(child) == 0


def test_an_interrupt_behind_the_compiled_step_leaves_a_version_that_backward_sees(monkeypatch):
    """A graph recorded before the step must not run backward over values that the step has changed."""
    p = with_gradient(np.ones(3), np.ones(3))
    optimizer = Adam([p])
    optimizer.step()
    loss = (p * p).sum()
    step = kernels.step.step

    def interrupted(*arguments):
        step(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels.step, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        optimizer.step()
    assert optimizer.state[p]["step"] == 2
    with pytest.raises(ts.GraphError, match="in place"):
        loss.backward()
