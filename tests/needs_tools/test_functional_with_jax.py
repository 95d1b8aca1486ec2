"""JAX's arrays as gradients of the functional optimizers, as their module's docstring shows."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from trainstation.optimizers import functional

IMAGES = np.random.default_rng(0).standard_normal((32, 8)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 3, 32)


def loss(params, images, labels):
    logits = images @ params["w"] + params["b"]
    return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels])


gradients = jax.jit(jax.grad(loss))


def test_a_training_loop_goes_as_optax_does():
    params = {"w": np.full((8, 3), 0.1, np.float32), "b": np.zeros(3, np.float32)}
    theirs = jax.tree.map(jnp.array, params)
    rule = optax.adamw(1e-2, weight_decay=1e-2)
    memory, state = rule.init(theirs), {}
    for _ in range(50):
        functional.adamw_(params, gradients(params, IMAGES, LABELS), state, lr=1e-2, weight_decay=1e-2)
        updates, memory = rule.update(gradients(theirs, IMAGES, LABELS), memory, theirs)
        theirs = optax.apply_updates(theirs, updates)
    assert state["w"]["step"] == state["b"]["step"] == 50
    for name, values in params.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=1e-6)


def test_a_gradient_is_read_where_it_lies_and_stays():
    p, state = np.ones(5, np.float32), {}
    g = jnp.arange(5, dtype=jnp.float32)
    before = np.asarray(g).tobytes()
    same, other = p.copy(), {}
    for _ in range(3):
        functional.adam_(p, g, state)
        functional.adam_(same, np.arange(5, dtype=np.float32), other)
    assert p.tobytes() == same.tobytes()
    assert np.asarray(g).tobytes() == before


def test_an_array_of_jax_is_no_p():
    p = jnp.ones(3)
    with pytest.raises(TypeError, match=r"p is read-only, as JAX's arrays are; copy it once, p = np\.array\(p\)"):
        functional.adam_(p, jnp.ones(3), {})
    assert np.asarray(p).tolist() == [1, 1, 1]
