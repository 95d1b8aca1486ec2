"""For NumPy, JAX and ONNX users: one step on plain arrays, in place, with a dict to remember it by.

>>> import numpy as np
>>> import trainstation as ts
>>> p, g, state = np.array([1.0, -2.0], np.float32), np.array([0.5, 0.5], np.float32), {}
>>> ts.optimizers.functional.adamw_(p, g, state, lr=0.1)
>>> p
array([ 0.899, -2.098], dtype=float32)
>>> sorted(state), state["step"]
(['exp_avg', 'exp_avg_sq', 'step'], 1)

`adam_`, `adamw_`, `sgd_` and `rmsprop_` have the defaults, the checks and the bits of the classes `Adam`, `AdamW`,
`SGD` and `RMSprop`. `p` and `g` are float32 or float64, alike in shape and dtype: NumPy arrays, or anything in a CPU's
memory that speaks DLPack, such as torch's tensors; or lists, tuples and dicts of these, nested or not, for one call:

    params = {"w": np.zeros((784, 10), np.float32), "b": np.zeros(10, np.float32)}
    state = {}
    gradients = jax.jit(jax.grad(loss))
    for images, labels in batches:
        ts.optimizers.functional.adamw_(params, gradients(params, images, labels), state, lr=1e-3)

JAX's arrays never change: as `g` they are welcome, and are not written to; `p` stays in NumPy, and JAX is given these
arrays themselves, for what `jnp.asarray(p)` made before a step may share their memory.

`state` is empty at first. It comes to hold, for one array, "step" (an int) and the moments, as NumPy arrays that later
calls change in place; for several arrays, such a dict for each, by its key in a dict `p`, by its index in a list or
tuple. A copy, a pickle, or what was read from a file goes on where the dict was. All hyper-parameters may change from
call to call. Between calls nothing holds on to `p` or `g`. Contiguous arrays go fastest. Threads that share a `state`
wait for one another; two must not step the same `p` at once.

Every other registered optimizer steps the memory of a float32 or float64 array too, through a tensor around it:

>>> tensor = ts.Tensor.from_numpy(p).requires_grad_()
>>> optimizer = ts.create_optimizer("sgd", [tensor], lr=1)
>>> tensor.grad = g
>>> optimizer.step()
>>> p
array([ 0.399, -2.598], dtype=float32)

"""

from __future__ import annotations

from trainstation.optimizers.adam import Adam, AdamW
from trainstation.optimizers.functional.arguments import Arrays, State, SupportsDLPack
from trainstation.optimizers.functional.cache import step
from trainstation.optimizers.rmsprop import RMSprop
from trainstation.optimizers.sgd import SGD

__all__ = ["Arrays", "State", "SupportsDLPack", "adam_", "adamw_", "rmsprop_", "sgd_"]


def adam_(
    p: Arrays,
    g: Arrays,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0,
    amsgrad: bool = False,
    maximize: bool = False,
    state_dtype: str | None = None,
) -> None:
    """Step `p` in place along `g`, as `trainstation.optimizers.Adam` does; its equations and paper are there.

    Args:
        p: values, float32 or float64: an array, or lists, tuples or dicts of arrays.
        g: gradients, of the structure, shapes and dtypes of `p`.
        state: empty before the first step; see this module.
        lr: learning rate.
        betas: decay rates of the two moments.
        eps: added to the root.
        weight_decay: L2 penalty.
        amsgrad: divide by the root of the largest second moment so far.
        maximize: ascend.
        state_dtype: how moments of float32 values are kept: "float32" or None, "bfloat16" or "8bit".

    Raises:
        TypeError: not an array, one of another dtype, or a `p` that is read-only.
        ShapeError: shapes or structures do not fit together, or do not fit `state`.
        MissingGradientError: None in the place of a gradient.
        ValueError: a hyper-parameter is out of range, or two arrays lie in the same bytes.

    Whatever is raised, nothing has moved.

    """
    hyper = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
    step(Adam, p, g, state, hyper | {"maximize": maximize}, state_dtype)


def adamw_(
    p: Arrays,
    g: Arrays,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    amsgrad: bool = False,
    maximize: bool = False,
    state_dtype: str | None = None,
) -> None:
    """Step `p` in place along `g`, as `trainstation.optimizers.AdamW` does; the rest is as in `adam_`."""
    hyper = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad}
    step(AdamW, p, g, state, hyper | {"maximize": maximize}, state_dtype)


def sgd_(
    p: Arrays,
    g: Arrays,
    state: State,
    *,
    lr: float = 1e-3,
    momentum: float = 0,
    dampening: float = 0,
    weight_decay: float = 0,
    nesterov: bool = False,
    maximize: bool = False,
    state_dtype: str | None = None,
) -> None:
    """Step `p` in place along `g`, as `trainstation.optimizers.SGD` does; the rest is as in `adam_`."""
    hyper = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
    step(SGD, p, g, state, hyper | {"nesterov": nesterov, "maximize": maximize}, state_dtype)


def rmsprop_(
    p: Arrays,
    g: Arrays,
    state: State,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0,
    momentum: float = 0,
    centered: bool = False,
    maximize: bool = False,
    state_dtype: str | None = None,
) -> None:
    """Step `p` in place along `g`, as `trainstation.optimizers.RMSprop` does; the rest is as in `adam_`."""
    hyper = {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum}
    step(RMSprop, p, g, state, hyper | {"centered": centered, "maximize": maximize}, state_dtype)
