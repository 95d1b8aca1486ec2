"""Random walks over all that users do to an optimizer between steps, beside a model in NumPy: the same bits."""

import copy
import gc
import pickle

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule
from walking import LAYOUTS, Stepping, drawn, places, seeds
from walks import run_walk

import trainstation as ts


class Walk(Stepping):
    """What users do to arrays, groups and optimizers."""

    # Arrays

    @rule(number=places, seed=seeds, layout=st.sampled_from(sorted(LAYOUTS)), is_kept=st.booleans())
    def values_are_replaced(self, number, seed, layout, is_kept):
        k = self.pick(number)
        if is_kept:
            self.give_up(self.parameters[k].data)
        model = self.models[k]
        model.values = drawn(model.values.shape, seed, model.values.dtype)
        self.parameters[k].data = LAYOUTS[layout](model.values)
        strangers = [np.full(model.values.shape, 1e6, model.values.dtype) for _ in range(3)]  # take what was freed
        self.canaries = [*self.canaries[-3:], *((each, each.tobytes()) for each in strangers)]

    @rule(number=places, seed=seeds)
    def values_are_written_to(self, number, seed):
        k = self.pick(number)
        self.models[k].values = drawn(self.models[k].values.shape, seed, self.models[k].values.dtype)
        self.parameters[k].data[...] = self.models[k].values

    @rule(number=places, seed=seeds, is_replaced=st.booleans())
    def a_state_is_changed(self, number, seed, is_replaced):
        k = self.pick(number)
        state, model = self.optimizer.state.get(self.parameters[k]), self.models[k]
        if not state or not model.state:
            return
        name = sorted(model.state)[seed % len(model.state)]
        model.state[name] = np.abs(drawn(model.values.shape, seed, model.values.dtype))
        if is_replaced:
            self.give_up(state[name])
            state[name] = model.state[name].copy()
        else:
            state[name][...] = model.state[name]

    @rule(number=places, count=st.integers(0, 50), is_replaced=st.booleans())
    def a_counter_is_changed(self, number, count, is_replaced):
        k = self.pick(number)
        state = self.optimizer.state.get(self.parameters[k])
        if state:
            self.models[k].count = count
            if is_replaced:
                state["step"] = np.array(count)
            else:
                state["step"][...] = count

    def refused(self):
        for _ in range(2):
            with pytest.raises((ValueError, TypeError)):
                self.optimizer.step()

    @rule(number=places, what=st.sampled_from(["shape", "dtype", "gradient", "overlap"]))
    def a_step_is_refused_until_it_is_mended(self, number, what):
        k = self.pick(number)
        p = self.parameters[k]
        if self.models[k].gradient is None:
            return
        values, gradient = p.data, p.grad
        other = np.zeros((*values.shape, 2), values.dtype)
        if what in ("shape", "dtype"):
            p.data = other if what == "shape" else np.zeros(values.shape, np.float16)
        else:
            p.grad = other if what == "gradient" else values
        self.refused()
        p.data, p.grad = values, gradient

    @rule(number=places, what=st.sampled_from(["values", "state", "step"]))
    def a_step_is_refused_until_it_is_thawed(self, number, what):
        k = self.pick(number)
        p, model, state = self.parameters[k], self.models[k], self.optimizer.state.get(self.parameters[k])
        if model.gradient is None or (what != "values" and not (state and model.state)):
            return
        name = min(model.state) if what == "state" else "step"
        frozen = p.data if what == "values" else state[name]
        frozen.flags.writeable = False
        self.refused()
        if what == "step" or frozen.base is None:
            frozen.flags.writeable = True
        elif what == "values":  # what pickle has made cannot be thawed
            p.data = frozen.copy()
        else:
            state[name] = frozen.copy()

    @rule()
    def memory_is_collected(self):
        gc.collect(1)

    # Parameters and groups

    @rule(number=places)
    def a_parameter_is_unlinked(self, number):
        if self.average is None and len(self.taking_part()) > 1:
            k = self.pick(number)
            assert self.optimizer.unlink_parameter(self.parameters[k])
            self.models[k].state, self.models[k].count = None, 0

    @rule(number=places, dtype=st.sampled_from([np.float32, np.float64]), in_a_group=st.booleans())
    def a_parameter_is_linked(self, number, dtype, in_a_group):
        apart = [k for k, p in enumerate(self.parameters) if not self.optimizer.is_parameter_linked(p)]
        if not apart or len(self.optimizer.param_groups) > 4:
            return
        k = apart[number % len(apart)]
        model = self.models[k]
        model.values = model.values.astype(dtype)
        model.gradient = None if model.gradient is None else model.gradient.astype(dtype)
        self.parameters[k].data = model.values.copy()
        self.parameters[k].grad = None if model.gradient is None else model.gradient.copy()
        model.average = None
        if in_a_group:
            self.optimizer.add_param_group({"params": [self.parameters[k]], "lr": 0.02})
        else:
            self.optimizer.add_parameter(self.parameters[k])

    @rule()
    def parameters_are_relinked(self):
        if self.average is not None:
            return
        place = [k for _, here in self.linked() for k in here]
        new = [ts.tensor(self.models[k].values, requires_grad=True) for k in place]
        for p, k in zip(new, place, strict=True):
            p.grad = None if self.models[k].gradient is None else self.models[k].gradient.copy()
            self.give_up(self.parameters[k].data)
        self.optimizer.relink_parameters(new)
        for p, k in zip(new, place, strict=True):
            self.parameters[k] = p

    @rule(lr=st.sampled_from([0.0, 0.003, 0.1]), name=st.sampled_from(["lr", "weight_decay"]), number=places)
    def a_setting_is_written(self, lr, name, number):
        group = self.optimizer.param_groups[number % len(self.optimizer.param_groups)]
        group[name] = lr

    @rule(lr=st.sampled_from([0.001, 0.05]))
    def the_rate_is_set(self, lr):
        self.optimizer.set_learning_rate(lr)

    @rule()
    def states_are_cleared(self):
        self.optimizer.clear_states()
        for model in self.models:
            model.state, model.count = None, 0

    # Copies

    @rule()
    def it_is_reloaded(self):
        saved = self.optimizer.state_dict()
        self.optimizer.clear_states()
        self.optimizer.load_state_dict(saved)

    @rule(how=st.sampled_from(["deepcopy", "pickle"]), is_stepped=st.booleans())
    def it_goes_on_as_a_copy(self, how, is_stepped):
        both = self.optimizer, self.parameters, self.average
        made = copy.deepcopy(both) if how == "deepcopy" else pickle.loads(pickle.dumps(both))
        former, parameters, _ = both
        self.optimizer, self.parameters, self.average = made
        for p, model in zip(self.parameters, self.models, strict=True):
            p.grad = None if model.gradient is None else model.gradient.copy()
        if is_stepped:  # the former one, which is no longer looked at
            former.step()
        self.canaries = [*self.canaries[-3:], *((p.data, p.data.tobytes()) for p in parameters)]

    # Averages

    @rule(decay=st.sampled_from([0.0, 0.5, 0.99]))
    def it_is_averaged(self, decay):
        if self.average is None:
            for model in self.models:
                model.average = None
            for model in self.taking_part():
                model.average = model.values.copy()
            self.average, self.averaged, self.decay = ts.EMA(self.optimizer, decay), 0, decay

    @rule()
    def it_is_averaged_no_more(self):
        if self.average is not None:
            self.average.stop()
            self.average = None


@pytest.mark.parametrize(
    ("examples", "length"),
    [(40, 50), pytest.param(1_200, 100, marks=pytest.mark.exhaustive)],
    ids=["few", "many"],
)
def test_a_random_walk_has_the_bits_of_the_model(examples, length):
    run_walk(Walk, examples, length)
