import numpy as np
import pytest

import trainstation as ts


def test_hooks_are_called_around_the_step_of_a_peer():
    parameter = ts.tensor([1.0, 2.0], requires_grad=True)
    parameter.grad = np.ones(2, np.float32)
    optimizer = ts.create_optimizer("numpy.sgd", [parameter], lr=0.5)
    told = []
    optimizer.register_step_pre_hook(lambda *_: told.append(parameter.numpy().tolist()))
    optimizer.register_step_post_hook(lambda *_: told.append(parameter.numpy().tolist()))
    optimizer.step()
    assert told == [[1.0, 2.0], [0.5, 1.5]]


def test_the_step_of_a_peer_averages_nothing_and_says_so():
    optimizer = ts.create_optimizer("numpy.sgd", [ts.tensor([1.0], requires_grad=True)])
    with pytest.raises(TypeError, match="does more than a step; give its model"):
        ts.EMA(optimizer)
