"""One step on plain arrays: torch's tensors as arrays, and torch's own optimizers as the meaning."""

import numpy as np
import pytest
import torch

import trainstation as ts
from trainstation.optimizers import functional

CASES = [
    ("Adam", functional.adam_, {"weight_decay": 0.1}),
    ("Adam", functional.adam_, {"amsgrad": True, "maximize": True}),
    ("AdamW", functional.adamw_, {}),
    ("SGD", functional.sgd_, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", functional.sgd_, {"momentum": 0.9, "dampening": 0.5}),
    ("RMSprop", functional.rmsprop_, {"momentum": 0.9, "weight_decay": 0.1}),
]


def tensors(dtype, seed):
    """Tensors of which one is a scalar and one is not contiguous."""
    generator = torch.Generator().manual_seed(seed)
    flat, scalar, wide = (torch.randn(shape, generator=generator, dtype=dtype) for shape in [(17,), (), (4, 3)])
    return [flat, scalar, wide.T]


@pytest.mark.parametrize(("name", "step", "hyper"), CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_torch_tensors_as_torch_does(name, step, hyper, dtype):
    ours, theirs, state = tensors(dtype, 0), tensors(dtype, 0), {}
    reference = getattr(torch.optim, name)(theirs, lr=0.01, **hyper)
    tolerance = {"rtol": 1e-12, "atol": 1e-12} if dtype == torch.float64 else {}
    for t in range(10):
        gradients = tensors(dtype, t + 1)
        for tensor, gradient in zip(theirs, gradients, strict=True):
            tensor.grad = gradient.clone()
        reference.param_groups[0]["lr"] = 0.1 / (t + 1)
        reference.step()
        step(ours, gradients, state, lr=0.1 / (t + 1), **hyper)
        torch.testing.assert_close(ours, theirs, **tolerance)


def test_torch_and_numpy_tell_the_same_memory():
    p, array = torch.ones(5), np.ones(5, np.float32)
    same, state, other = p.detach().numpy(), {}, {}
    for g in (torch.arange(5.0), torch.ones(5)):
        functional.adamw_(p, g, state)
        functional.adamw_(array, g.numpy(), other)
    assert same.tobytes() == array.tobytes()
    assert state["exp_avg"].tobytes() == other["exp_avg"].tobytes()


@pytest.mark.parametrize(
    ("p", "g", "words"),
    [
        (torch.ones(3, requires_grad=True), torch.ones(3), "p, a Tensor, cannot be seen .*detach"),
        (torch.ones(3), torch.ones(3, requires_grad=True), "g, a Tensor, cannot be seen .*detach"),
        (torch.ones(3, dtype=torch.bfloat16), torch.ones(3), "p, a Tensor, cannot be seen "),
        (torch.ones(3), torch.ones(3).double(), "g has dtype float64, p float32"),
        (torch.ones(3), torch.ones(3, device="meta"), "g, a Tensor, cannot be seen "),
        (torch.ones(3), torch.ones(3).to_sparse(), "g, a Tensor, cannot be seen "),
    ],
)
def test_tensors_that_are_no_plain_arrays_are_refused(p, g, words):
    state = {}
    with pytest.raises(TypeError, match=f"(?s){words}"):
        functional.adam_(p, g, state)
    assert state == {}


def test_lion_steps_the_memory_of_an_array():
    p, g = np.array([1.0, -2.0, 3.0], np.float32), np.array([0.5, 0.5, -0.5], np.float32)
    address = p.ctypes.data
    tensor = ts.Tensor.from_numpy(p).requires_grad_()
    optimizer = ts.create_optimizer("lion", [tensor], lr=0.25, weight_decay=0)
    tensor.grad = g
    optimizer.step()
    np.testing.assert_array_equal(p, np.array([0.75, -2.25, 3.25], np.float32))
    assert (tensor.data.ctypes.data, tensor.grad.data.ctypes.data) == (address, g.ctypes.data)
