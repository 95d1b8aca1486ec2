"""Random walks over what users do to arrays and states between functional steps, beside a model in NumPy."""

import copy
import gc
import pickle
import threading

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from walks import Modelled, model_step, run_walk

import trainstation as ts
from trainstation.optimizers import SGD, Adam, AdamW, RMSprop, functional

KINDS = {
    "adam": (Adam, functional.adam_, {"lr": 0.01}),
    "adamw": (AdamW, functional.adamw_, {"lr": 0.01, "weight_decay": 0.1}),
    "sgd": (SGD, functional.sgd_, {"lr": 0.1, "momentum": 0.9}),
    "rmsprop": (RMSprop, functional.rmsprop_, {"lr": 0.01}),
}
SHAPES = {"a": (3,), "b": (40, 50), "c": (1,), "d": (5000,)}
names = st.sampled_from(sorted(SHAPES))
seeds = st.integers(0, 2**32 - 1)


def drawn(shape, seed, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def apart(array):
    """Return equal values, every second of an array."""
    return np.repeat(array, 2, axis=-1)[..., ::2]


class Walk(RuleBasedStateMachine):
    """Arrays by name with a state, and a model of each."""

    made = 0  # steps of all walks

    @initialize(kind=st.sampled_from(sorted(KINDS)), seed=seeds)
    def begin(self, kind, seed):
        cls, self.function, self.hyper = KINDS[kind]
        self.optimizer = cls(**self.hyper)
        self.p = {name: drawn(shape, seed + k) for k, (name, shape) in enumerate(sorted(SHAPES.items()))}
        self.models = {name: Modelled(values) for name, values in self.p.items()}
        self.state = {}
        self.older = None
        self.strangers = []

    def gradients(self, chosen, seed, change=lambda array: array):
        for k, name in enumerate(chosen):
            self.models[name].gradient = drawn(self.p[name].shape, seed + k, self.p[name].dtype)
        return {name: change(self.models[name].gradient) for name in chosen}

    def expect_step(self, chosen):
        group = {**self.optimizer.defaults, **self.hyper}
        model_step(self.optimizer, [(group, [self.models[name] for name in chosen])])
        Walk.made += 1

    @invariant()
    def is_as_the_model(self):
        for name, model in self.models.items():
            assert np.array_equal(self.p[name], model.values), name
            state = self.state.get(name)
            assert bool(state) == (model.state is not None), name
            if state:
                assert state["step"] == model.count, name
                assert all(np.array_equal(state[key], array) for key, array in model.state.items()), name
        assert all((each == 1e6).all() for each in self.strangers)

    @rule(seed=seeds, times=st.integers(1, 5), is_apart=st.booleans())
    def steps(self, seed, times, is_apart):
        for turn in range(times):
            g = self.gradients(sorted(self.p), seed + 10 * turn, apart if is_apart else np.copy)
            self.function(self.p, g, self.state, **self.hyper)
            self.expect_step(sorted(self.p))

    @rule(seed=seeds, chosen=st.sets(names, min_size=1))
    def a_step_of_some(self, seed, chosen):
        g = self.gradients(sorted(chosen), seed)
        self.function({name: self.p[name] for name in sorted(chosen)}, g, self.state, **self.hyper)
        self.expect_step(sorted(chosen))

    @rule(name=names, seed=seeds, layout=st.sampled_from([np.copy, apart, np.asfortranarray]))
    def values_are_replaced(self, name, seed, layout):
        model = self.models[name]
        model.values = drawn(model.values.shape, seed, model.values.dtype)
        self.p[name] = layout(model.values.copy())
        gc.collect()
        self.strangers = [np.full(model.values.shape, 1e6, model.values.dtype) for _ in range(4)]

    @rule(name=names, seed=seeds, is_replaced=st.booleans())
    def a_moment_is_changed(self, name, seed, is_replaced):
        state, model = self.state.get(name), self.models[name]
        if state and model.state:
            key = sorted(model.state)[seed % len(model.state)]
            model.state[key] = np.abs(drawn(model.values.shape, seed, model.values.dtype))
            if is_replaced:
                state[key] = model.state[key].copy()
            else:
                state[key][...] = model.state[key]

    @rule(name=names, count=st.integers(0, 40))
    def a_counter_is_changed(self, name, count):
        if self.state.get(name):
            self.state[name]["step"] = self.models[name].count = count

    @rule(name=names, dtype=st.sampled_from([np.float32, np.float64]), shape=st.sampled_from([(3,), (7, 2), (60, 50)]))
    def an_array_becomes_another_one(self, name, dtype, shape):
        self.p[name] = drawn(shape, 0, dtype)
        self.models[name] = Modelled(self.p[name])
        self.state.pop(name, None)

    @rule(name=names, what=st.sampled_from(["shape", "dtype", "frozen", "itself", "another's", "missing"]), seed=seeds)
    def a_step_is_refused(self, name, what, seed):
        chosen = sorted(self.p)
        g = self.gradients(chosen, seed)
        other = chosen[chosen.index(name) - 1]
        p = dict(self.p)
        if what == "frozen":
            p[name] = p[name].view()
            p[name].flags.writeable = False
        elif what == "another's":
            p[name] = p[other]
            g[name] = g[other]
        else:
            wrong = {"shape": np.zeros(2), "dtype": g[name].astype(np.int64), "itself": p[name], "missing": None}
            g[name] = wrong[what]
        with pytest.raises((TypeError, ValueError, ts.MissingGradientError)):
            self.function(p, g, self.state, **self.hyper)

    @rule(how=st.sampled_from([copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))]))
    def the_state_is_a_copy(self, how):
        self.state = how(self.state)

    @rule()
    def the_state_is_kept_for_later(self):
        self.older = copy.deepcopy((self.p, self.state)), {name: each.copied() for name, each in self.models.items()}

    @rule(seed=seeds)
    def a_former_state_is_taken_up_again(self, seed):
        if self.older is not None:
            (self.p, self.state), self.models = self.older
            self.older = None
            self.steps(seed, 1, is_apart=False)

    @rule(lr=st.sampled_from([0.0, 0.02]), decay=st.sampled_from([0.0, 0.3]))
    def hyper_parameters_change(self, lr, decay):
        self.hyper = {**self.hyper, "lr": lr, "weight_decay": decay}

    @rule(seed=seeds)
    def threads_share_the_state(self, seed):
        """They step arrays of their own, along one gradient, one after the other."""
        name = "d"
        model = self.models[name]
        model.gradient = drawn(model.values.shape, seed, model.values.dtype)

        def work(p):
            self.function({name: p}, {name: model.gradient}, self.state, **self.hyper)

        self.function({name: self.p[name]}, {name: model.gradient}, self.state, **self.hyper)
        self.expect_step([name])
        values, copies = model.values.copy(), [self.p[name].copy() for _ in range(2)]
        threads = [threading.Thread(target=work, args=(p,)) for p in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for _ in threads:
            model.values = values.copy()
            self.expect_step([name])
        model.values = values
        assert all(np.isfinite(p).all() for p in copies)


@pytest.mark.parametrize(
    ("examples", "length"),
    [(25, 40), pytest.param(500, 100, marks=pytest.mark.exhaustive)],
    ids=["few", "many"],
)
def test_a_random_walk_has_the_bits_of_the_model(examples, length):
    run_walk(Walk, examples, length)
