import copy
import pickle

import numpy as np
import pytest

import trainstation as ts


@pytest.fixture
def optimizer():
    parameter = ts.tensor([1.0, 2.0], requires_grad=True)
    parameter.grad = np.ones(2, np.float32)
    return ts.optimizers.SGD([parameter], lr=0.5)


def values(optimizer):
    return optimizer.param_groups[0]["params"][0].numpy().tolist()


def test_hooks_are_called_in_their_order_around_the_step(optimizer):
    told = []
    for name in "ab":
        optimizer.register_step_pre_hook(lambda o, args, kwargs, name=name: told.append((f"before {name}", values(o))))
        optimizer.register_step_post_hook(lambda o, args, kwargs, name=name: told.append((f"after {name}", values(o))))
    optimizer.step()
    old, new = [1.0, 2.0], [0.5, 1.5]
    assert told == [("before a", old), ("before b", old), ("after a", new), ("after b", new)]


def test_a_hook_may_change_the_arguments(optimizer):
    (parameter,) = optimizer.param_groups[0]["params"]
    told = []
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, [parameter]), {}))
    optimizer.register_step_post_hook(lambda o, args, kwargs: told.append((args, kwargs)))
    assert optimizer.step() is None
    assert told == [((optimizer, [parameter]), {})]


def test_the_loss_of_a_closure_comes_back(optimizer):
    optimizer.register_step_post_hook(lambda o, args, kwargs: None)
    assert optimizer.step(lambda: 7) == 7


def test_a_hook_that_is_removed_is_called_no_more(optimizer):
    told = []
    handle = optimizer.register_step_pre_hook(lambda *_: (told.append(1), handle.remove())[2:] or None)
    with optimizer.register_step_post_hook(lambda *_: told.append(2)):
        optimizer.step()
    optimizer.step()
    assert told == [1, 2]


def test_what_a_hook_raises_ends_the_step_before_it_has_begun(optimizer):
    def refuse(*_):
        raise KeyError

    optimizer.register_step_pre_hook(refuse)
    with pytest.raises(KeyError):
        optimizer.step()
    assert values(optimizer) == [1.0, 2.0]
    assert not optimizer.state


def test_after_a_step_that_raised_no_hook_is_called(optimizer):
    told = []
    optimizer.register_step_post_hook(lambda *_: told.append(1))
    with pytest.raises(ts.UnlinkedParameterError):
        optimizer.step([ts.tensor([1.0], requires_grad=True)])
    assert told == []


def test_a_hook_that_returns_something_else_is_an_error(optimizer):
    optimizer.register_step_pre_hook(lambda *_: 3)
    with pytest.raises(RuntimeError, match="None or a tuple of new args and kwargs, not 3"):
        optimizer.step()


def test_copies_have_no_hooks(optimizer):
    told = []
    optimizer.register_step_pre_hook(lambda *_: told.append(1))
    optimizer.register_step_post_hook(lambda *_: told.append(2))
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        other.param_groups[0]["params"][0].grad = np.ones(2, np.float32)
        other.step()
        assert values(other) == [0.5, 1.5]
    assert told == []
