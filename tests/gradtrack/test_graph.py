import gc
import threading
import weakref
from contextlib import contextmanager

import numpy as np
import pytest

import trainstation as ts
from trainstation.nn import functional
from trainstation.ops import Operation
from trainstation.tensor import apply


def leaf(*values, dtype=np.float64):
    return ts.tensor(np.array(values, dtype), requires_grad=True)


def grads(*tensors):
    return [None if tensor.grad is None else tensor.grad.numpy().tolist() for tensor in tensors]


@contextmanager
def no_collector():
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class TestAccumulation:
    def test_gradients_of_several_backwards_add_up(self):
        x = leaf(1, 2)
        (x * x).sum().backward()
        (x * 3).sum().backward()
        assert grads(x) == [[5, 7]]

    def test_a_tensor_used_several_times_gets_the_sum(self):
        x = leaf(1, 2)
        (x * x + x * 2 + x).sum().backward()
        assert grads(x) == [[5, 7]]

    def test_only_leaves_that_ask_for_it_get_a_gradient(self):
        x, constant = leaf(1, 2), ts.tensor([3.0, 4.0])
        middle = x * constant
        middle.sum().backward()
        assert grads(x, constant, middle) == [[3, 4], None, None]

    def test_a_leaf_can_be_its_own_result(self):
        x = leaf(2)
        x.backward()
        x.backward(np.array([5.0]))
        assert grads(x) == [[6]]

    def test_backward_of_none_is_backward(self):
        x = leaf(1, 2)
        (x * x).sum().backward(None)
        ts.GradTrack.backward((x * x).sum(), None)
        assert grads(x) == [[4, 8]]

    @pytest.mark.parametrize("make", [np.array, ts.tensor, list])
    def test_a_gradient_of_the_result_may_be_given(self, make):
        x = leaf(1, 2)
        (x * 3).backward(make([10.0, 100.0]))
        assert grads(x) == [[30, 300]]

    def test_the_given_gradient_is_left_alone_and_not_kept(self):
        x, given = leaf(1, 2), np.array([1.0, 1.0])
        for _ in range(2):
            (x + 0).backward(given)
        x.backward(given)
        assert given.tolist() == [1, 1]
        assert not np.shares_memory(x.grad.numpy(), given)

    def test_the_given_gradient_may_be_that_of_a_leaf(self):
        x = leaf(1, 2)
        x.grad = np.array([1.0, 10.0])
        (x * 3 + x).backward(x.grad)
        assert grads(x) == [[5, 50]]
        (x * 3 + x).backward(x.grad)  # now it stands in the buffer that is added to in place
        assert grads(x) == [[25, 250]]

    def test_the_gradient_has_the_dtype_of_its_tensor(self):
        x, y = leaf(1, 2, dtype=np.float32), leaf(3, 4)
        (x * y).sum().backward()
        assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)

    def test_the_gradient_is_contiguous(self):
        x = ts.Tensor.from_numpy(np.zeros((3, 2)).T).requires_grad_()
        (x.T * ts.Tensor.ones((3, 2))).sum().backward()
        assert x.grad.numpy().flags.c_contiguous


def holding_the_tensor(p):
    return p.grad


def holding_the_array(p):
    return p.grad.numpy()


def holding_a_view(p):
    return p.grad.numpy()[1:]


def holding_a_view_of_a_view(p):
    return p.grad.numpy()[1:][:1]


def holding_a_reshaped_tensor(p):
    return p.grad.reshape(1, 2)


def holding_a_detached_tensor(p):
    return p.grad.detach()


def holding_the_memory(p):
    return memoryview(p.grad.numpy())


def holding_it_as_a_gradient(p):
    other = leaf(0, 0)
    other.grad = p.grad
    return other.grad


class TestBuffer:
    def trained_once(self):
        p = leaf(1, 2)
        (p * 3).sum().backward()
        return p

    def test_after_none_the_next_backward_writes_the_same_memory(self):
        p = self.trained_once()
        buffer = weakref.ref(p.grad.numpy())
        p.grad = None
        assert p.grad is None
        (p * 5).sum().backward()
        assert p.grad.numpy() is buffer()
        assert grads(p) == [[5, 5]]

    @pytest.mark.parametrize(
        "hold",
        [
            holding_the_tensor,
            holding_the_array,
            holding_a_view,
            holding_a_view_of_a_view,
            holding_a_reshaped_tensor,
            holding_a_detached_tensor,
            holding_the_memory,
            holding_it_as_a_gradient,
        ],
    )
    def test_a_held_gradient_keeps_its_values(self, hold):
        p = self.trained_once()
        held = hold(p)
        before = np.array(held)
        p.grad = None
        (p * 5).sum().backward()
        assert np.array_equal(np.array(held), before)
        assert grads(p) == [[5, 5]]
        assert not np.shares_memory(np.asarray(held), p.grad.numpy())

    def test_what_a_graph_still_reads_is_held_too(self):
        p, q = self.trained_once(), leaf(7, 7)
        product = (p.grad * q).sum()
        p.grad = None
        (p * 5).sum().backward()
        product.backward()
        assert grads(q) == [[3, 3]]

    def test_a_foreign_array_in_the_gradient_is_not_reused(self):
        p, whole = self.trained_once(), np.zeros(4)
        p.grad.data = whole[:2]
        p.grad = None
        (p * 5).sum().backward()
        assert whole.tolist() == [0, 0, 0, 0]

    @pytest.mark.parametrize("data", [np.ones(3), np.ones(2, np.float32)])
    def test_another_shape_or_dtype_gets_another_buffer(self, data):
        p = self.trained_once()
        p.grad = None
        p.data = data
        (p * 5).sum().backward()
        assert (p.grad.shape, p.grad.dtype) == (data.shape, data.dtype)

    def test_accumulating_writes_the_same_memory(self):
        p = self.trained_once()
        held = p.grad.numpy()
        (p * 5).sum().backward()
        assert p.grad.numpy() is held
        assert held.tolist() == [8, 8]


class TestAssignedGradient:
    @pytest.mark.parametrize("assigned", [np.array([1.0, 2.0]), ts.tensor(np.array([1.0, 2.0]))])
    def test_it_reads_as_it_is_and_the_first_accumulation_copies(self, assigned):
        p = leaf(1, 2)
        p.grad = assigned
        array = np.asarray(assigned)
        assert p.grad.numpy() is array or p.grad is assigned
        (p * 3).sum().backward()
        assert array.tolist() == [1, 2]
        assert grads(p) == [[4, 5]]
        buffer = p.grad.numpy()
        (p * 3).sum().backward()
        assert p.grad.numpy() is buffer
        assert grads(p) == [[7, 8]]

    def test_it_is_not_overwritten_after_none(self):
        p, array = leaf(1, 2), np.array([1.0, 2.0])
        p.grad = array
        p.grad = None
        (p * 3).sum().backward()
        assert array.tolist() == [1, 2]

    @pytest.mark.parametrize("shape", [(1,), (2, 2), ()])
    def test_one_of_another_shape_is_refused_by_backward(self, shape):
        p = leaf(1, 2)
        p.grad = np.ones(shape)
        with pytest.raises(ts.ShapeError, match=r"\(2,\)"):
            (p * 3).sum().backward()
        assert p.grad.shape == shape

    def test_data_of_another_shape_than_was_recorded_is_refused_by_backward(self):
        p = leaf(1, 2)
        loss = (p * 3).sum()
        p.data = np.ones(1)
        with pytest.raises(ts.ShapeError, match=r"\(1,\)"):
            loss.backward()


class TestErrors:
    def test_a_graph_runs_once(self):
        x = leaf(1, 2)
        loss = (x * x).sum()
        loss.backward()
        with pytest.raises(ts.GraphError, match="retain_graph"):
            loss.backward()
        assert grads(x) == [[2, 4]]

    def test_a_shared_part_runs_once_and_nothing_is_accumulated_by_the_second(self):
        x, w = leaf(1, 2), leaf(1, 1)
        shared = x * x
        first, second = shared.sum(), (shared * w).sum()
        first.backward()
        with pytest.raises(ts.GraphError, match="mul"):
            second.backward()
        assert grads(x, w) == [[2, 4], None]

    def test_a_retained_graph_runs_again(self):
        x = leaf(1, 2)
        loss = (x * x).sum()
        loss.backward(retain_graph=True)
        loss.backward(None, True)
        loss.backward()
        assert grads(x) == [[6, 12]]
        with pytest.raises(ts.GraphError):
            loss.backward()

    @pytest.mark.parametrize("shape", [(2,), (0,), (1, 2)])
    def test_more_or_less_than_one_element_needs_a_gradient(self, shape):
        x = ts.Tensor.ones(shape, requires_grad=True)
        with pytest.raises(ts.GraphError, match="one element"):
            (x * 2).backward()
        assert x.grad is None

    @pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 2), (2, 1)])
    def test_the_given_gradient_has_the_results_shape(self, shape):
        x = leaf(1, 2)
        with pytest.raises(ts.ShapeError, match=r"\(2,\)"):
            (x * 2).backward(np.ones(shape))
        assert x.grad is None

    def test_without_a_recorded_operation_there_is_nothing_to_run(self):
        with ts.no_grad():
            unrecorded = leaf(1) * 2
        for tensor in (ts.tensor(1.0), ts.tensor([1.0]) * 2, unrecorded, leaf(1).detach()):
            with pytest.raises(ts.GraphError, match="requires a gradient"):
                tensor.backward()


X = np.array([[1.0, 2.0], [3.0, 4.0]])


def bump_first(x, y, result):
    x._bump_version()


def bump_second(x, y, result):
    y._bump_version()


def bump_result(x, y, result):
    result._bump_version()


class TestInPlace:
    @pytest.mark.parametrize(
        ("function", "modify"),
        [
            (lambda x, y: x * y, bump_first),
            (lambda x, y: x * y, bump_second),
            (lambda x, y: x / y, bump_second),
            (lambda x, y: x**y, bump_first),
            (lambda x, y: x**y, bump_result),
            (lambda x, y: x @ y, bump_first),
            (lambda x, y: x @ y, bump_second),
            (lambda x, y: x**2 + y, bump_first),
            (functional.linear, bump_second),
            (lambda x, y: (x + y).relu(), bump_result),
            (lambda x, y: (x + y).tanh(), bump_result),
            (lambda x, y: (x + y).sigmoid(), bump_result),
            (lambda x, y: (x + y).log_softmax(), bump_result),
            (lambda x, y: x.T * y, bump_first),
            (lambda x, y: x.reshape(-1)[:2] * y, bump_first),
            (lambda x, y: x.detach() * y, bump_first),
            (lambda x, y: x * y, lambda x, y, result: x.T._bump_version()),
        ],
    )
    def test_a_value_that_backward_reads_must_not_change(self, function, modify):
        x, y = (ts.tensor(X, requires_grad=True) for _ in range(2))
        result = function(x, y)
        loss = result.sum()
        modify(x, y, result)
        with pytest.raises(ts.GraphError, match="modified in place"):
            loss.backward()
        assert grads(x, y) == [None, None]

    @pytest.mark.parametrize(
        ("function", "modify"),
        [
            (lambda x, y: x + y, bump_first),
            (lambda x, y: x - y, bump_second),
            (lambda x, y: x + y, bump_result),
            (lambda x, y: x / y.detach(), bump_first),
            (lambda x, y: x * y, bump_result),
            (lambda x, y: -x * 3 + y, bump_first),
            (lambda x, y: x.relu() + y, bump_first),
            (lambda x, y: x.mean() + y, bump_first),
            (lambda x, y: x[[0, 0]] + y.T, bump_first),
            (lambda x, y: functional.cross_entropy(x, [0, 1]) + y, bump_first),
            (lambda x, y: functional.linear(x.detach(), y.detach(), x[0]), bump_result),
        ],
    )
    def test_other_values_may(self, function, modify):
        x, y = (ts.tensor(X, requires_grad=True) for _ in range(2))
        function(x, y).sum().backward()
        expected = grads(x, y)
        x.grad = y.grad = None
        result = function(x, y)
        loss = result.sum()
        modify(x, y, result)
        loss.backward()
        assert grads(x, y) == expected

    def test_a_bias_may_change_and_a_weight_may_not(self):
        weight, bias = leaf([1, 2], [3, 4]), leaf(5, 6)
        loss = functional.linear(leaf([1, 1]), weight, bias).sum()
        bias._bump_version()
        loss.backward(retain_graph=True)
        weight._bump_version()
        with pytest.raises(ts.GraphError, match="linear"):
            loss.backward()

    def test_a_value_that_only_an_unwanted_gradient_reads_may_change(self):
        x, y = ts.tensor(X), ts.tensor(X, requires_grad=True)
        loss = (x * y).sum()
        y._bump_version()
        loss.backward()
        assert grads(y) == [X.tolist()]

    def test_an_index_array_may_change(self):
        x, index = leaf(1, 2, 3), np.array([0, 0, 2])
        loss = x[index].sum()
        index[:] = 1
        loss.backward()
        assert grads(x) == [[2, 0, 1]]

    def test_a_gradient_that_a_graph_reads_is_seen_to_accumulate(self):
        x, y = leaf(1, 2), leaf(3, 4)
        (x * 2).sum().backward()
        loss = (x.grad * y).sum()
        (x * 2).sum().backward()
        with pytest.raises(ts.GraphError, match="modified in place"):
            loss.backward()

    def test_clearing_gradients_does_not_hinder_backward(self):
        layer = ts.nn.Linear(2, 2)
        optimizer = ts.create_optimizer("sgd", layer.parameters(), lr=0.1)
        x = ts.tensor([[1.0, 2.0]])
        layer(x).sum().backward()
        expected = grads(*layer.parameters())
        loss = layer(x).sum()
        optimizer.zero_grad()
        assert grads(*layer.parameters()) == [None, None]
        loss.backward()
        assert grads(*layer.parameters()) == expected

    def test_a_step_of_an_optimizer_is_a_change_in_place(self):
        layer = ts.nn.Linear(2, 2)
        optimizer = ts.create_optimizer("sgd", layer.parameters(), lr=0.1)
        x = leaf([1, 2], dtype=np.float32)
        loss = layer(x).sum()
        loss.backward(retain_graph=True)
        optimizer.step()
        with pytest.raises(ts.GraphError, match="modified in place"):
            loss.backward()


def recording():
    return (leaf(1) * 2).requires_grad


class TestSwitch:
    def test_it_is_on_and_read_alike_everywhere(self):
        assert ts.is_grad_enabled()
        assert ts.GradTrack.enabled()
        with ts.no_grad():
            assert not ts.is_grad_enabled()
            assert not ts.GradTrack.enabled()

    @pytest.mark.parametrize(
        ("mode", "records"),
        [
            (ts.no_grad, False),
            (ts.NoGradTrack, False),
            (ts.enable_grad, True),
            (lambda: ts.set_grad_enabled(False), False),
            (lambda: ts.set_grad_enabled(True), True),
        ],
    )
    @pytest.mark.parametrize("before", [True, False])
    def test_a_mode_is_a_context_and_a_decorator(self, mode, records, before):
        with ts.set_grad_enabled(before):
            with mode():
                assert recording() is records
            assert recording() is before
            decorated = mode()(recording)
            assert recording() is before
            assert decorated() is records
            assert recording() is before

    @pytest.mark.parametrize(
        ("mode", "records"), [(ts.no_grad, False), (ts.NoGradTrack, False), (ts.enable_grad, True)]
    )
    def test_a_decorator_needs_no_parentheses(self, mode, records):
        @mode
        def decorated(a, *, b):
            return a, b, recording()

        with ts.set_grad_enabled(not records):
            assert decorated(1, b=2) == (1, 2, records)
            assert recording() is not records
        assert decorated.__name__ == "decorated"

    def test_set_grad_enabled_sets_at_once(self):
        try:
            ts.set_grad_enabled(False)
            assert not recording()
        finally:
            ts.set_grad_enabled(True)
        assert recording()

    def test_modes_nest(self):
        with ts.no_grad():
            with ts.enable_grad():
                assert recording()
                with ts.set_grad_enabled(False):
                    assert not recording()
                assert recording()
            assert not recording()
        assert recording()

    @pytest.mark.parametrize("mode", [ts.no_grad, lambda: ts.set_grad_enabled(False)])
    def test_one_object_may_be_entered_again_inside_itself(self, mode):
        context = mode()
        with context:
            with ts.enable_grad(), context:
                assert not recording()
            assert not recording()
        assert recording()
        with context:
            assert not recording()
        assert recording()

    def test_a_decorated_function_may_call_itself(self):
        @ts.no_grad()
        def count(n):
            with ts.enable_grad():
                inner = 0 if n == 0 else count(n - 1)
                assert recording()
            assert not recording()
            return inner + 1

        assert count(3) == 4
        assert recording()

    def test_an_exception_restores_what_was_before(self):
        @ts.no_grad
        def fails():
            raise KeyError

        with pytest.raises(KeyError):
            fails()
        assert recording()
        with pytest.raises(KeyError), ts.no_grad():
            raise KeyError
        assert recording()

    def test_a_decorated_generator_switches_only_while_it_runs(self):
        @ts.no_grad()
        def batches():
            received = []
            try:
                while True:
                    received.append((yield recording()))
            except KeyError:
                yield recording()
            return received

        def consumer():
            returned.append((yield from batches()))

        returned = []
        running = consumer()
        assert next(running) is False
        assert recording()
        assert running.send("a") is False
        assert recording()
        assert running.throw(KeyError) is False
        assert recording()
        assert next(running, "end") == "end"
        assert returned == [["a"]]

    def test_closing_a_decorated_generator_closes_it_inside(self):
        seen = []

        @ts.no_grad
        def batches():
            try:
                yield
            finally:
                seen.append(recording())

        running = batches()
        next(running)
        running.close()
        assert seen == [False]

    def test_each_thread_has_its_own(self):
        seen = []

        def other():
            seen.append(recording())
            with ts.no_grad():
                inside.set()
                outside.wait()
                seen.append(recording())

        inside, outside = threading.Event(), threading.Event()
        with ts.no_grad():
            thread = threading.Thread(target=other)
            thread.start()
            inside.wait()
        assert recording()
        outside.set()
        thread.join()
        assert seen == [True, False]

    def test_nothing_recorded_asks_for_no_gradient(self):
        x = leaf(1, 2)
        with ts.no_grad():
            constant = x * x
        assert not constant.requires_grad
        (constant * x).sum().backward()
        assert grads(x) == [[1, 4]]

    def test_backward_runs_while_nothing_is_recorded(self):
        x = leaf(1, 2)
        loss = (x * x).sum()
        with ts.no_grad():
            loss.backward()
        assert grads(x) == [[2, 4]]


class TestLargeGraphs:
    DEPTH = 100_000

    def chain(self, x):
        y = x
        for _ in range(self.DEPTH):
            y = y + 1.0
        return y

    def test_a_deep_graph_runs_backward(self):
        x = leaf(1, 2)
        y = self.chain(x)
        assert y.numpy().tolist() == [1 + self.DEPTH, 2 + self.DEPTH]
        y.sum().backward()
        assert grads(x) == [[1, 1]]

    def test_a_deep_graph_is_dropped_without_backward(self):
        x = leaf(1, 2)
        alive = weakref.ref(x)
        y = self.chain(x)
        del x
        assert alive() is not None
        with no_collector():
            del y
            assert alive() is None

    def test_a_diamond_visits_each_node_once(self):
        calls = []

        def forward(needs, x, y):
            def vjp(g, out):
                calls.append(1)
                return g, g

            return x + y, vjp

        twice = Operation("twice", forward, ((), ()), view=False)
        x = leaf(1)
        y = x
        for _ in range(60):
            y = apply(twice, y, y)
        y.backward()
        assert len(calls) == 60
        assert grads(x) == [[2.0**60]]


class Layers:
    def __init__(self, seed=0):
        self.weight = ts.Tensor.randn((4, 3), seed, requires_grad=True)
        self.bias = ts.Tensor.randn(4, seed + 1, requires_grad=True)

    def hidden(self, x):
        return functional.linear(x, self.weight, self.bias).tanh()


class TestMemory:
    def test_backward_frees_what_was_recorded(self):
        layers, x = Layers(), ts.Tensor.randn((2, 3), 1)
        with no_collector():
            hidden = layers.hidden(x)
            loss = (hidden * hidden).mean()
            alive = [weakref.ref(hidden), weakref.ref(hidden.data), weakref.ref(x.data)]
            del hidden, x
            assert [ref() is not None for ref in alive] == [False, True, True]
            loss.backward()
            assert [ref() for ref in alive] == [None, None, None]
        assert layers.weight.grad is not None

    def test_dropping_the_result_frees_what_was_recorded(self):
        layers, x = Layers(), ts.Tensor.randn((2, 3), 1)
        with no_collector():
            hidden = layers.hidden(x)
            loss = functional.cross_entropy(hidden, [0, 1])
            alive = [weakref.ref(value) for value in (hidden, hidden.data, x.data, layers.weight, layers.weight.data)]
            del hidden, x, layers
            assert alive[1]() is not None
            del loss
            assert [ref() for ref in alive] == [None] * 5

    def test_a_tensor_with_a_gradient_is_in_no_cycle(self):
        x = leaf(1, 2)
        with no_collector():
            for _ in range(2):
                (x * x).sum().backward()
                x.grad = None
            (x * x).sum().backward()
            alive = [weakref.ref(x), weakref.ref(x.data), weakref.ref(x.grad), weakref.ref(x.grad.data)]
            del x
            assert [ref() for ref in alive] == [None] * 4

    def test_a_failed_backward_keeps_nothing_alive(self):
        x = leaf(1, 2)
        with no_collector():
            loss = (x * x).sum()
            x._bump_version()
            with pytest.raises(ts.GraphError):
                loss.backward()
            alive = weakref.ref(x)
            del x, loss
            assert alive() is None


def train(seed, steps=25, meet=lambda: None):
    x = ts.Tensor.randn((8, 3), seed)
    targets = np.arange(8) % 4
    layers, losses = Layers(seed), []
    for _ in range(steps):
        meet()
        loss = functional.cross_entropy(layers.hidden(x), targets)
        meet()
        loss.backward()
        losses.append(loss.item())
        for p in (layers.weight, layers.bias):
            p.data -= np.float32(0.1) * p.grad.data
            p.grad = None
    return losses, layers.weight.data.tobytes(), layers.bias.data.tobytes()


def test_two_threads_train_two_models_as_each_alone():
    alone = [train(seed) for seed in (1, 2)]
    barrier, results = threading.Barrier(2), [None, None]

    def run(index):
        results[index] = train(index + 1, meet=barrier.wait)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == alone
    assert alone[0][0][-1] < alone[0][0][0]
