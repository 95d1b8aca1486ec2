"""Hooks on tensors, and gradients with respect to chosen tensors."""

import gc
import weakref

import numpy as np
import pytest

import trainstation as ts
from trainstation.gradtrack import GradTrack


def leaf(*values):
    return ts.tensor(np.array(values, np.float64), requires_grad=True)


class TestHooks:
    def test_a_leafs_hook_sees_the_sum_once(self):
        x, seen = leaf(1, 2), []
        x.register_hook(lambda g: seen.append(g.numpy().tolist()))
        (x * x + x * 3).sum().backward()
        assert seen == [[5, 7]]
        assert x.grad.numpy().tolist() == [5, 7]

    def test_a_results_hook_sees_the_whole_gradient_before_it_goes_on(self):
        x, seen = leaf(1, 2), []
        y = x * 2
        y.register_hook(lambda g: seen.append(g.numpy().tolist()))
        (y * y + y).sum().backward()
        assert seen == [[5, 9]]
        assert x.grad.numpy().tolist() == [10, 18]

    @pytest.mark.parametrize("of_leaf", [True, False])
    def test_what_a_hook_returns_stands_in_for_the_gradient(self, of_leaf):
        x = leaf(1, 2)
        y = x * 2
        (x if of_leaf else y).register_hook(lambda g: g * 10)
        (x if of_leaf else y).register_hook(lambda g: g + 1)
        y.sum().backward()
        assert x.grad.numpy().tolist() == ([21, 21] if of_leaf else [22, 22])

    def test_what_a_hook_returns_is_added_to_what_was_there(self):
        x = leaf(1, 2)
        x.register_hook(lambda g: g * 10)
        for _ in range(2):
            (x * x).sum().backward()
        x.backward(np.array([1.0, 1.0]))
        assert x.grad.numpy().tolist() == [50, 90]

    def test_a_removed_hook_is_not_called(self):
        x, seen = leaf(1), []
        handles = [x.register_hook(lambda g, n=n: seen.append(n)) for n in range(3)]
        handles[1].remove()
        handles[1].remove()
        (x * 2).sum().backward()
        assert seen == [0, 2]

    @pytest.mark.parametrize(
        ("answer", "error"), [(ts.tensor([1.0]), ts.ShapeError), (3.0, TypeError), (np.ones(2), TypeError)]
    )
    def test_a_wrong_answer_is_refused(self, answer, error):
        x = leaf(1, 2)
        x.register_hook(lambda g: answer)
        with pytest.raises(error, match="a hook return"):
            (x * 2).sum().backward()
        assert x.grad is None

    def test_what_requires_no_gradient_has_no_hook(self):
        with pytest.raises(ts.GraphError, match="requires a gradient"):
            ts.tensor([1.0]).register_hook(lambda g: g)

    def test_a_hook_keeps_no_graph_alive(self):
        x = leaf(1, 2)
        y = x * 2
        y.register_hook(lambda g: g)
        x.register_hook(lambda g: g)
        gc.collect()
        gc.disable()
        try:
            alive = weakref.ref(y), weakref.ref(x)
            del x, y
            assert [ref() for ref in alive] == [None, None]
        finally:
            gc.enable()


class TestChosenGradients:
    def test_leaves_and_results(self):
        x, w = leaf(1, 2), leaf(3, 4)
        y = x * w
        found = GradTrack.grad((y * y).sum(), [w, y, x])
        assert [g.tolist() for g in found] == [[6, 32], [6, 16], [18, 64]]
        assert (x.grad, w.grad) == (None, None)

    def test_what_does_not_lead_there_is_not_run(self):
        x, w = leaf(1, 2), leaf(3, 4)
        beside = w * 2
        seen = []
        beside.register_hook(seen.append)
        (found,) = GradTrack.grad((x * beside).sum(), [x])
        assert found.tolist() == [6, 8]
        assert seen == []
        assert w.grad is None

    def test_what_was_not_used_has_none(self):
        x, other = leaf(1, 2), leaf(3)
        assert GradTrack.grad((x * x).sum(), [x, other])[1] is None

    def test_the_output_itself(self):
        x = leaf(2)
        y = x * 3
        assert [g.tolist() for g in GradTrack.grad(y, [y, x])] == [[1], [3]]
        assert [g.tolist() for g in GradTrack.grad(x, [x], np.array([5.0]))] == [[5]]

    def test_hooks_are_called(self):
        x = leaf(1, 2)
        x.register_hook(lambda g: g * 10)
        assert GradTrack.grad((x * x).sum(), [x])[0].tolist() == [20, 40]

    def test_the_graph_is_freed_unless_retained(self):
        x = leaf(1, 2)
        y = (x * x).sum()
        assert GradTrack.grad(y, [x], retain_graph=True)[0].tolist() == [2, 4]
        GradTrack.grad(y, [x])
        with pytest.raises(ts.GraphError, match="retain_graph"):
            GradTrack.grad(y, [x])

    def test_a_gradient_that_is_held_is_not_touched(self):
        x = leaf(1, 2)
        (x * x).sum().backward()
        before = x.grad.numpy().copy()
        GradTrack.grad((x * 7).sum(), [x])
        assert np.array_equal(x.grad.numpy(), before)


def test_a_leaf_given_twice_to_one_operation_gets_both_parts():
    """Both parts come to one buffer, of which only one may be written in place."""
    w = leaf(1.0, 2.0)
    x = ts.tensor(np.array([[1.0, 3.0], [2.0, 5.0]]))
    for _ in range(2):
        w.grad = None
        ts.nn.functional.layer_norm(x, (2,), w, w).sum().backward()
    both = [leaf(1.0, 2.0), leaf(1.0, 2.0)]
    ts.nn.functional.layer_norm(x, (2,), *both).sum().backward()
    assert np.array_equal(w.grad.numpy(), both[0].grad.numpy() + both[1].grad.numpy())


def test_a_backward_that_fails_leaves_no_half_written_gradient():
    w = leaf(1.0, 2.0)
    loss = (w * ts.tensor(np.array([1.0, 2.0]))).sum()
    w.data = np.zeros(3)
    with pytest.raises(ts.ShapeError):
        loss.backward()
    assert w.grad is None
