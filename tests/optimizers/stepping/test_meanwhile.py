"""What threads, and an author's own methods, put in the place of arrays while a step runs."""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest
from steps import both, everything, stepped, with_gradient

import trainstation as ts
from trainstation.optimizers import SGD, Adam, functional

LARGE = 1_500_000  # elements: a step takes a while, and memory that is freed goes back to the system


def beside(work, steps):
    """Call `steps` while a thread calls `work` again and again."""
    is_over = threading.Event()
    errors = []

    def repeat():
        try:
            while not is_over.is_set():
                work()
        except BaseException as error:  # noqa: BLE001  # the test says so
            errors.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        steps()
    finally:
        is_over.set()
        thread.join()
    assert not errors


def goes_on_as_it_says(optimizer):
    """Check that the next step follows from what the optimizer shows, and from nothing else."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    copies = [with_gradient(p.data.copy(), p.grad.data.copy(), p.data.dtype) for p in parameters]
    fresh = type(optimizer)(copies, lr=optimizer.learning_rate())
    fresh.load_state_dict(optimizer.state_dict())
    fresh.step()
    optimizer.step()
    assert everything(optimizer) == everything(fresh)


@both
def test_a_thread_puts_other_states_in_the_place_of_those(wrap):
    p = with_gradient(np.ones(LARGE), np.full(LARGE, 0.5))
    optimizer = wrap(Adam)([p])
    optimizer.step()

    def reset():
        for name in ("exp_avg", "exp_avg_sq"):
            optimizer.state[p][name] = np.zeros(LARGE, np.float32)

    beside(reset, lambda: [optimizer.step() for _ in range(15)])
    assert int(optimizer.state[p]["step"]) == 16
    goes_on_as_it_says(optimizer)


@both
def test_a_thread_puts_other_values_and_gradients_in_the_place_of_those(wrap):
    p = with_gradient(np.ones(LARGE), np.full(LARGE, 0.5))
    optimizer = wrap(Adam)([p])
    optimizer.step()

    def replace():
        p.data = np.ones(LARGE, np.float32)
        p.grad = np.full(LARGE, 0.25, np.float32)

    beside(replace, lambda: [optimizer.step() for _ in range(15)])
    goes_on_as_it_says(optimizer)


def test_threads_that_share_a_functional_state_wait_for_one_another():
    state, wrong = {}, []
    functional.sgd_(np.ones(LARGE, np.float32), np.ones(LARGE, np.float32), state, lr=1.0)

    def work():
        for _ in range(12):
            p, g = np.ones(LARGE, np.float32), np.full(LARGE, 0.5, np.float32)
            functional.sgd_(p, g, state, lr=1.0)
            if not (p == 0.5).all():
                wrong.append(float(p[0]))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert state["step"] == 37


@pytest.mark.parametrize("layout", [np.copy, lambda a: np.repeat(a, 2)[::2]], ids=["compiled", "interpreted"])
def test_threads_that_begin_a_functional_state_lose_no_step(layout):
    g, interval = np.ones(50, np.float32), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(30):
            state = {}
            arrays = [layout(np.zeros(50, np.float32)) for _ in range(4)]
            threads = [threading.Thread(target=functional.adam_, args=(p, g, state)) for p in arrays]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert state["step"] == 4
    finally:
        sys.setswitchinterval(interval)


@both
def test_scalars_that_put_a_new_array_into_the_state(wrap):
    """The buffer is 1, then 1.5, then 1 if the restart counts for this step, 1.75 if for the next."""

    class Restarted(SGD):
        is_done = False

        def scalars(self, hyper, t):
            if t == 3 and not self.is_done:
                self.is_done = True
                self.state[p]["momentum_buffer"] = np.zeros(LARGE, np.float32)
                gc.collect()
            return super().scalars(hyper, t)

    p = with_gradient(np.zeros(LARGE), np.ones(LARGE))
    optimizer = wrap(Restarted)([p], lr=1.0, momentum=0.5)
    for _ in range(3):
        optimizer.step()
    assert p.data[0] in (-3.5, -4.25)
    assert (p.data == p.data[0]).all()


def test_an_update_that_changes_the_values_and_states_of_other_parameters():
    """What it puts there counts from the next step on, as for a parameter that has been stepped already."""

    class Meddling(Adam):
        rule = None

        def update(self, p, g, state, scalars):
            super().update(p, g, state, scalars)
            for other in self.state.values():
                other["exp_avg"] = np.full(5, 0.25, np.float32)

    optimizer, _ = stepped(Meddling)
    for _ in range(3):
        optimizer.step()
    assert all((state["exp_avg"] == 0.25).any() for state in optimizer.state.values())
    assert all(np.isfinite(p.data).all() for p in optimizer.state)


def test_a_property_that_steps_the_optimizer_once_more():
    """It steps, within a step, along the same gradient; the outer step goes on after it."""

    class Eager:
        def __init__(self):
            self.data, self.gradient, self.is_done = np.ones(3, np.float32), np.ones(3, np.float32), True

        @property
        def grad(self):
            if not self.is_done:
                self.is_done = True
                optimizer.step()
            return self.gradient

    p = Eager()
    optimizer = SGD([p], lr=0.25)
    optimizer.step()
    p.is_done = False
    optimizer.step()
    assert p.data.tolist() == [0.25] * 3
    assert int(optimizer.state[p]["step"]) == 3


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_collecting_garbage_within_a_step_frees_nothing_that_it_uses(kind):
    class Collecting(ts.Tensor):
        @property
        def grad(self):
            held = super().grad
            gc.collect()
            return None if held is None else ts.Tensor.from_numpy(held.data * 2)

        @grad.setter
        def grad(self, value):
            ts.Tensor.grad.fset(self, value)

    p = Collecting(np.ones(20_000, np.float32)).requires_grad_()
    plain = with_gradient(np.ones(20_000), np.ones(20_000))
    p.grad = np.full(20_000, 0.5, np.float32)
    one, other = kind([p], lr=0.5), kind([plain], lr=0.5)
    for _ in range(3):
        one.step()
        other.step()
    assert p.data.tobytes() == plain.data.tobytes()


def test_a_class_of_gradients_lives_as_long_as_a_table_knows_where_they_keep_their_array():
    """Or else another class may get its place in memory, whose objects keep something else there."""

    class Parameter:
        __slots__ = ("data", "grad")

    kind = type("Gradient", (), {"__slots__": ("data",)})
    p = Parameter()
    p.data, p.grad = np.zeros(4, np.float32), kind()
    p.grad.data = np.ones(4, np.float32)
    optimizer = SGD([p], lr=1.0)
    for _ in range(2):
        optimizer.step()
    of, kind, p.grad = weakref.ref(kind), None, None
    gc.collect()
    assert of() is not None
    del optimizer
    gc.collect()
    assert of() is None
