"""An optimizer that walks at random, beside its model: its gradients, its steps, and what must be true after each."""

import os
import threading

import numpy as np
import pytest
from cases import forked
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from walks import Modelled, adam_in_double, model_step

import trainstation as ts
from trainstation.optimizers import SGD, Adam, RMSprop

__all__ = ["LAYOUTS", "Stepping", "drawn", "places", "seeds"]

LAYOUTS = {
    "contiguous": lambda array: array.copy(),
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
    "another order": lambda array: np.asfortranarray(array.copy()),
}
SHAPES = [(3,), (17,), (4, 5), (70, 60), (1,)]


class InNumpy(Adam):
    """Adam, stepped by its `update`."""

    rule = None


class Doubled(Adam):
    """Adam of which half of the parameters are stepped in NumPy."""

    def variant(self, hyper):
        rule, states = super().variant(hyper)
        return (None if hyper["weight_decay"] else rule), states


KINDS = {
    "adam": lambda params: Adam(params, lr=0.01),
    "amsgrad": lambda params: Adam(params, lr=0.01, amsgrad=True),
    "sgd": lambda params: SGD(params, lr=0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda params: RMSprop(params, lr=0.01, centered=True),
    "numpy": lambda params: InNumpy(params, lr=0.01),
    "mixed": lambda params: Doubled(params, lr=0.01),
}
places = st.integers(0, 9)
seeds = st.integers(0, 2**32 - 1)


def drawn(shape, seed, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


class Stepping(RuleBasedStateMachine):
    """An optimizer of some parameters, and their models in the same order, group by group."""

    made = 0  # steps of all walks

    def __init__(self):
        super().__init__()
        self.canaries = []  # arrays that were given up, and their bytes: nobody writes to them
        self.average, self.averaged, self.decay = None, 0, 0.0

    @initialize(kind=st.sampled_from(sorted(KINDS)), seed=seeds, two=st.booleans())
    def begin(self, kind, seed, two):
        self.parameters = [ts.tensor(drawn(shape, seed + k), requires_grad=True) for k, shape in enumerate(SHAPES[:4])]
        self.models = [Modelled(p.data) for p in self.parameters]
        groups = [{"params": self.parameters[:2]}, {"params": self.parameters[2:], "weight_decay": 0.1}]
        self.optimizer = KINDS[kind](groups if two else self.parameters)
        self.optimizer.has_warned = True
        self.steps_with_gradients_of_their_own(seed, 1)

    # What the walk knows

    def linked(self):
        """Return pairs of each group and its places among the parameters."""
        place = {id(p): k for k, p in enumerate(self.parameters)}
        return [(group, [place[id(p)] for p in group["params"]]) for group in self.optimizer.param_groups]

    def pick(self, number):
        """Return the place of a linked parameter."""
        all_places = [place for _, each in self.linked() for place in each]
        return all_places[number % len(all_places)]

    def give_up(self, array):
        self.canaries = [*self.canaries[-5:], (array, array.tobytes())]

    def expect_step(self, only=None, **policy):
        """Step the models; return whether a step was made."""
        groups = []
        for group, here in self.linked():
            chosen = [self.models[k] for k in here]
            if only is not None:
                for model in chosen:
                    model.kept = model.gradient
                    model.gradient = model.gradient if any(model is self.models[k] for k in only) else None
            groups.append((group, chosen))
        is_adam = type(self.optimizer) is Adam and not policy and not self.optimizer.defaults["amsgrad"]
        in_double = []
        if is_adam:
            for hyper, models in groups:
                decay = hyper["weight_decay"]
                in_double += [
                    (model, adam_in_double(model, hyper, model.gradient + decay * model.values))
                    for model in models
                    if model.gradient is not None and np.isfinite(model.gradient).all()
                ]
        weight = None if self.average is None else (1.0 if self.averaged == 0 else 1.0 - self.decay)
        try:
            is_made = model_step(self.optimizer, groups, average=weight, **policy)
        finally:
            if only is not None:
                for _, chosen in groups:
                    for model in chosen:
                        model.gradient = model.kept
        for model, values in in_double:
            np.testing.assert_allclose(model.values, values, rtol=1e-4, atol=2e-5)
        self.averaged += is_made and self.average is not None
        type(self).made += is_made
        return is_made

    @invariant()
    def is_as_the_model(self):
        for k, (p, model) in enumerate(zip(self.parameters, self.models, strict=True)):
            assert np.array_equal(p.data, model.values, equal_nan=True), k
            state = self.optimizer.state.get(p)
            assert bool(state) == (model.state is not None), k
            if state:
                assert int(state["step"]) == model.count, k
                for name, array in model.state.items():
                    assert np.array_equal(state[name], array, equal_nan=True), (k, name)
            if self.average is not None and model.average is not None:
                assert np.array_equal(self.average.average_of(p), model.average, equal_nan=True), k
        if self.average is not None:
            assert self.average.n_averaged == self.averaged
        assert all(array.tobytes() == kept for array, kept in self.canaries)

    # Gradients

    @rule(seed=seeds, layout=st.sampled_from(sorted(LAYOUTS)), which=st.sets(places, min_size=1))
    def gradients_are_new(self, seed, layout, which):
        for k in {self.pick(number) for number in which}:
            self.models[k].gradient = drawn(self.models[k].values.shape, seed + k, self.models[k].values.dtype)
            self.parameters[k].grad = LAYOUTS[layout](self.models[k].gradient)

    @rule(seed=seeds)
    def gradients_are_written_again(self, seed):
        for k, (p, model) in enumerate(zip(self.parameters, self.models, strict=True)):
            if model.gradient is not None:
                model.gradient = drawn(model.values.shape, seed + k, model.values.dtype)
                p.grad.data[...] = model.gradient

    @rule(number=places)
    def a_gradient_goes(self, number):
        k = self.pick(number)
        self.parameters[k].grad = self.models[k].gradient = None

    @rule(number=places, value=st.sampled_from([np.nan, np.inf]))
    def a_gradient_is_not_finite(self, number, value):
        k = self.pick(number)
        if self.models[k].gradient is not None:
            gradient = self.models[k].gradient.copy()
            gradient.flat[-1] = value
            self.models[k].gradient = gradient
            self.parameters[k].grad = gradient.copy()
            for policy in ("skip", "raise"):
                self.a_step_with_a_policy(0.5, policy)
            self.a_gradient_goes(number)

    # Steps

    @rule(times=st.integers(1, 6))
    def steps(self, times):
        for _ in range(times):
            self.optimizer.step()
            self.expect_step()

    @rule(seed=seeds, times=st.integers(1, 6))
    def steps_with_gradients_of_their_own(self, seed, times):
        for turn in range(times):
            self.gradients_are_new(seed + 10 * turn, "contiguous", set(range(10)))
            self.steps(1)

    @rule(numbers=st.lists(places, min_size=1, max_size=3))
    def a_step_of_a_list(self, numbers):
        chosen = sorted({self.pick(number) for number in numbers})
        if any(self.models[k].gradient is None for k in chosen):
            with pytest.raises(ts.MissingGradientError):
                self.optimizer.step([self.parameters[k] for k in chosen])
        else:
            self.optimizer.step([self.parameters[k] for k in chosen])
            self.expect_step(only=chosen)

    @rule(max_norm=st.sampled_from([None, 0.01, 1.0, 1e6]), policy=st.sampled_from(["ignore", "skip", "raise"]))
    def a_step_with_a_policy(self, max_norm, policy):
        self.optimizer.max_grad_norm, self.optimizer.on_nonfinite = max_norm, policy
        try:
            is_made = self.expect_step(max_norm=max_norm, policy=policy)
        except ArithmeticError:
            with pytest.raises(ts.NonFiniteGradientError):
                self.optimizer.step()
        else:
            self.optimizer.step()
            assert self.optimizer.last_step.skipped == (
                not is_made and any(model.gradient is not None for model in self.taking_part())
            )
        self.optimizer.max_grad_norm, self.optimizer.on_nonfinite = None, "ignore"

    def taking_part(self):
        return [self.models[k] for _, here in self.linked() for k in here]

    @rule(value=st.sampled_from([-1, 0, np.nan]))
    def a_senseless_limit(self, value):
        self.optimizer.max_grad_norm = value
        with pytest.raises(ValueError, match="max_grad_norm"):
            self.optimizer.step()
        self.optimizer.max_grad_norm = None

    @rule(number=st.integers(1, 3))
    def threads_step(self, number):
        threads = [threading.Thread(target=self.optimizer.step) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in range(number):
            self.expect_step()

    @precondition(lambda _: hasattr(os, "fork"))
    @rule()
    def a_fork_steps(self):
        def child():
            self.optimizer.step()
            self.expect_step()
            self.is_as_the_model()

        assert forked(child, 20) == 0
