"""Values, gradients and groups changed between steps are noticed; memory that was given up is never written."""

import copy
import gc
import pickle

import numpy as np
import pytest
from steps import both, everything, same_after_a_step, stepped, with_gradient

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import SGD, Adam, RMSprop

# Groups


@both
def test_a_parameter_appended_to_a_group_by_hand(wrap):
    one, params = stepped(wrap(Adam))
    late, fresh = with_gradient([1.0], [1.0]), with_gradient([1.0], [1.0])
    one.param_groups[0]["params"].append(late)
    one.step()
    wrap(Adam)([fresh]).step()
    assert late.data.tobytes() == fresh.data.tobytes()
    assert [int(one.state[p]["step"]) for p in (*params, late)] == [3, 3, 3, 1]


@both
def test_a_parameter_taken_out_of_a_group_by_hand(wrap):
    one, params = stepped(wrap(SGD))
    taken = one.param_groups[0]["params"].pop(0)
    before = taken.data.tobytes(), params[1].data.tobytes()
    one.step()
    assert taken.data.tobytes() == before[0]
    assert params[1].data.tobytes() != before[1]


@both
def test_a_list_of_parameters_put_in_the_place_of_another(wrap):
    one, params = stepped(wrap(SGD), lr=0.5)
    p = with_gradient([1.0], [1.0])
    before = [q.data.tobytes() for q in params]
    one.param_groups[0]["params"] = [p]
    one.step()
    assert p.data[0] == 0.5
    assert [q.data.tobytes() for q in params[:2]] == before[:2]
    assert params[2].data.tobytes() != before[2]


@both
@pytest.mark.parametrize(
    "change",
    [
        lambda ps, new: ps.append(new),
        lambda ps, new: ps.extend([new]),
        lambda ps, new: ps.insert(0, new),
        lambda ps, new: ps.__setitem__(0, new),
        lambda ps, new: ps.__setitem__(slice(None), [new]),
        lambda ps, new: ps.__iadd__([new]),
        lambda ps, new: ps.__delitem__(0),
        lambda ps, new: ps.remove(ps[0]),
        lambda ps, new: ps.pop(),
        lambda ps, new: ps.clear(),
        lambda ps, new: ps.__imul__(0),
        lambda ps, new: ps.reverse(),
        lambda ps, new: ps.sort(key=id),
    ],
)
def test_every_way_to_write_to_the_list_of_parameters(wrap, change):
    one, params = stepped(wrap(SGD), n=1, lr=0.5)  # of one element, so that == finds equal what is not the same
    new = with_gradient(params[0].data, [1.0])
    change(one.param_groups[0]["params"], new)
    linked = one._linked()
    before = {p: p.data.tobytes() for p in (*params, new)}
    one.step()
    assert [p.data.tobytes() != before[p] for p in before] == [p in linked for p in before]


@pytest.mark.parametrize("renew", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_lists_of_a_copy_are_noticed_too(renew):
    one, _ = stepped(Adam)
    one = renew(one)
    for parameter in one._linked():
        parameter.grad = np.ones_like(parameter.data)  # as in torch, it is not pickled
    one.step()
    late = with_gradient([1.0], [1.0])
    one.param_groups[0]["params"].append(late)
    one.step()
    assert int(one.state[late]["step"]) == 1


@both
def test_a_group_put_in_the_place_of_another(wrap):
    one, params = stepped(wrap(SGD), lr=0.5)
    before = [q.data.copy() for q in params]
    one.param_groups[1] = {**one.param_groups[0], "params": [params[2]], "lr": 0.25}
    one.step()
    assert np.array_equal(params[2].data, before[2] - np.float32(0.25) * params[2].grad.data)
    one.param_groups = [{**one.param_groups[0], "params": [params[2]], "lr": 1.0}]
    before = [q.data.copy() for q in params]
    one.step()
    assert np.array_equal(params[2].data, before[2] - params[2].grad.data)
    assert np.array_equal(params[0].data, before[0])


@both
@pytest.mark.parametrize(
    ("kind", "hyper", "change"),
    [
        (Adam, {"lr": 0.1}, lambda group: group.update(lr=0.7)),
        (Adam, {"lr": 0.1}, lambda group: group.update(lr_scale=3.0)),
        (Adam, {"betas": [0.9, 0.99]}, lambda group: group["betas"].__setitem__(0, 0.5)),
        (Adam, {"betas": [0.9, 0.99]}, lambda group: group.update(betas=(0.5, 0.99))),
        (Adam, {}, lambda group: group.update(maximize=True)),
        (Adam, {}, lambda group: group.update(eps=0.1)),
        (Adam, {}, lambda group: group.update(weight_decay=0.1)),
        (Adam, {"betas": (0.9, 0.5)}, lambda group: group.update(amsgrad=True)),
        (SGD, {"momentum": 0.9}, lambda group: group.update(momentum=0.5)),
        (SGD, {"momentum": 0.9}, lambda group: group.update(nesterov=True)),
        (SGD, {"momentum": 0.9}, lambda group: group.update(momentum=0)),
        (SGD, {}, lambda group: group.update(momentum=0.9)),
        (RMSprop, {}, lambda group: group.update(alpha=0.5)),
        (RMSprop, {}, lambda group: group.update(centered=True)),
        (RMSprop, {"momentum": 0.9}, lambda group: group.update(momentum=0.1)),
    ],
)
def test_a_hyper_parameter_changed_between_steps(kind, hyper, change, wrap):
    """As in an optimizer that was never warm: its table is made anew."""
    (one, params), (other, others), (unchanged, untouched) = (
        stepped(wrap(kind), **copy.deepcopy(hyper)) for _ in range(3)
    )
    for p in (*params, *others, *untouched):
        p.grad.data[...] *= np.float32(0.1)
    change(one.param_groups[1])
    change(other.param_groups[1])
    for _ in range(2):
        one.step()
        other.load_state_dict(other.state_dict())
        other.step()
        unchanged.step()
    assert everything(one) == everything(other)
    assert params[2].data.tobytes() != untouched[2].data.tobytes()


@both
def test_a_rate_of_another_type_is_noticed(wrap):
    p = with_gradient([1.0], [1.0])
    optimizer = wrap(SGD)([p], lr=np.float64(0.5))
    optimizer.step()
    optimizer.param_groups[0]["lr"] = np.float32(0.25)
    optimizer.step()
    assert p.data[0] == 0.25


# Values and gradients


@both
def test_values_put_in_the_place_of_others_leave_the_others_alone(wrap):
    one, params = stepped(wrap(Adam))
    other, others = stepped(wrap(Adam))
    old = params[0].data
    kept = old.copy()
    params[0].data = np.frombuffer(bytearray(21), np.float32, 5, 1)
    params[0].data[...] = others[0].data[...] = 3.0
    same_after_a_step(one, other)
    assert old.tobytes() == kept.tobytes()


@both
def test_values_that_become_a_view_of_the_same_memory(wrap):
    one, params = stepped(wrap(Adam))
    other, _ = stepped(wrap(Adam))
    params[0].data = params[0].data[:]
    same_after_a_step(one, other)
    params[0].data = params[0].data.reshape(5)
    same_after_a_step(one, other)


@both
def test_values_of_another_shape_or_dtype_are_an_error(wrap):
    one, params = stepped(wrap(Adam))
    for data in (np.ones(4, np.float32), np.ones((5, 1), np.float32), np.ones(5)):
        params[0].data, params[0].grad = data, data.copy()
        with pytest.raises(ts.ShapeError, match="exp_avg"):
            one.step()


@both
def test_values_frozen_between_steps_are_an_error_and_nothing_moves(wrap):
    one, params = stepped(wrap(Adam))
    params[1].data.flags.writeable = False
    before = everything(one)
    with pytest.raises(ValueError, match=r"parameter 1 of group 0 .* read-only"):
        one.step()
    assert everything(one) == before
    params[1].data.flags.writeable = True
    one.step()
    assert one.state[params[0]]["step"] == 3


@both
@pytest.mark.parametrize(
    "replace",
    [
        lambda g: g * 2,
        lambda g: np.asfortranarray(g * 2),
        lambda g: np.repeat(g * 2, 2)[::2],
        lambda g: (g * 2)[::-1][::-1],
        lambda g: np.frombuffer(bytearray(3) + (g * 2).tobytes(), np.float32, 5, 3),
        lambda g: ts.Tensor.from_numpy(g * 2),
    ],
)
def test_a_gradient_put_in_the_place_of_another(wrap, replace):
    one, params = stepped(wrap(Adam))
    other, others = stepped(wrap(Adam))
    params[0].grad = replace(params[0].grad.data)
    others[0].grad.data[...] *= 2
    same_after_a_step(one, other)
    params[1].grad.data = params[1].grad.data * 2
    others[1].grad.data[...] *= 2
    same_after_a_step(one, other)


@both
def test_a_gradient_that_is_unpickled_into_has_other_memory(wrap):
    p, q = (with_gradient(np.ones(9000), np.full(9000, 0.5)) for _ in range(2))
    one, other = wrap(Adam)([p]), wrap(Adam)([q])
    for turn in range(3):
        same_after_a_step(one, other)
        now = np.full(9000, 7.0 + turn, np.float32)
        p.grad.data.__setstate__((1, now.shape, now.dtype, False, now.tobytes()))
        q.grad.data[...] = now


class Owned:
    """A parameter that is no tensor."""

    def __init__(self, values, gradient):
        self.data, self.grad = np.array(values, np.float32), np.array(gradient, np.float32)


@both
def test_another_kind_of_parameter_put_into_a_plain_list(wrap):
    own, first = Owned([1, 1], [1, 1]), with_gradient([1, 1], [1, 1])
    optimizer = wrap(SGD)([first], lr=0.25)
    optimizer.param_groups[0]["params"] = [first]
    optimizer.step()
    optimizer.param_groups[0]["params"][0] = own
    optimizer.step()
    own.grad = None
    own.grad = np.full(2, 2, np.float32)
    optimizer.step()
    assert (first.data.tolist(), own.data.tolist()) == ([0.75] * 2, [0.25] * 2)


@both
@pytest.mark.parametrize("spoilt", [np.ones(3), np.ones(2, np.float32), "gradient"], ids=["dtype", "shape", "type"])
def test_a_parameter_left_out_stays_so_while_steps_are_refused(wrap, spoilt):
    a, b, c = (with_gradient(np.ones(3), np.ones(3)) for _ in range(3))
    own = Owned(np.ones(3), np.ones(3))
    optimizer = wrap(SGD)([a, b], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["params"] = [a, own, c]
    own.grad = spoilt
    for _ in range(3):
        with pytest.raises((TypeError, ValueError), match="parameter 1 of group 0"):
            optimizer.step()
        assert [float(p.data[0]) for p in (a, b, own, c)] == [0, 0, 1, 1]
    own.grad = np.ones(3, np.float32)
    optimizer.step()
    assert [float(p.data[0]) for p in (a, b, own, c)] == [-1, 0, 0, 0]


@both
def test_a_gradient_that_is_replaced_at_every_step(wrap):
    one, params = stepped(wrap(Adam))
    other, others = stepped(wrap(Adam))
    for turn in range(4):
        for p, q in zip(params, others, strict=True):
            q.grad.data[...] *= 2
            if turn % 2:
                p.grad = q.grad.data.copy()
            else:
                p.grad.data = q.grad.data.copy()
        same_after_a_step(one, other)


@both
def test_a_gradient_that_is_wrapped_anew(wrap):
    one, params = stepped(wrap(Adam))
    other, others = stepped(wrap(Adam))
    for _ in range(3):
        params[0].grad = params[0].grad.data
        same_after_a_step(one, other)
    params[0].grad.data[...] = 0
    others[0].grad.data[...] = 0
    same_after_a_step(one, other)


@both
def test_a_gradient_that_is_the_values_of_another_parameter(wrap):
    one, params = stepped(wrap(SGD))
    params[0].grad = params[1].data
    before = everything(one)
    with pytest.raises(ValueError, match="overlap"):
        one.step()
    assert everything(one) == before


class Slotted:
    """A parameter of another class, which C can look at: its array and its gradient are in slots."""

    __slots__ = ("_grad", "data")

    def __init__(self, p):
        self.data, self._grad = p.data, p.grad

    @property
    def grad(self):
        return self._grad


def test_other_classes_with_slots_are_looked_at_too():
    one, params = stepped()
    slotted = [Slotted(p) for p in stepped()[1]]
    for p in slotted:
        p.data = p.data.copy()
    other = Adam(slotted)
    other.load_state_dict(Adam(params).state_dict())
    for p, q in zip(params, slotted, strict=True):
        p.data[...] = q.data
    one = Adam(params)
    same_values_after_a_step(one, other)
    slotted[0].data, slotted[1]._grad = slotted[0].data * 2, slotted[1].grad.data * 2
    params[0].data, params[1].grad = params[0].data * 2, params[1].grad.data * 2
    same_values_after_a_step(one, other)


def same_values_after_a_step(one, other):
    one.step()
    other.step()
    assert [p.data.tobytes() for p in one._linked()] == [p.data.tobytes() for p in other._linked()]


@both
def test_gradients_that_come_and_go(wrap):
    one, params = stepped(wrap(Adam))
    gradient = params[1].grad
    params[1].grad = None
    before = params[1].data.tobytes()
    one.step()
    assert params[1].data.tobytes() == before
    params[1].grad = gradient
    one.step()
    assert [int(one.state[p]["step"]) for p in params] == [4, 3, 4]


@both
def test_a_gradient_becomes_that_of_another_parameter(wrap):
    one, params = stepped(wrap(SGD), lr=1.0)
    params[0].grad, params[1].grad = params[1].grad, params[0].grad
    before = [p.data.copy() for p in params]
    one.step()
    assert all(np.array_equal(p.data, b - p.grad.data) for p, b in zip(params, before, strict=True))


@both
def test_a_list_of_parameters_alternates_with_all(wrap):
    one, params = stepped(wrap(Adam))
    for wanted in ([params[0]], None, [params[2], params[0]], [], None, [params[1]]):
        one.step(wanted)
    assert [int(one.state[p]["step"]) for p in params] == [6, 5, 5]


@both
def test_memory_that_was_given_up_is_never_written(wrap):
    """Arrays that take the place of freed ones would show it, and AddressSanitizer does."""
    one, params = stepped(wrap(Adam), n=50_000)
    for turn in range(12):
        p = params[turn % 3]
        if turn % 4 == 0:
            p.data = p.data.copy()
        elif turn % 4 == 1:
            p.grad = p.grad.data.copy()
        elif turn % 4 == 2:
            one.state[p]["exp_avg"] = one.state[p]["exp_avg"].copy()
        else:
            one.unlink_parameter(p)
            one.add_parameter(p)
        gc.collect()
        others = [np.full(50_000, 7, np.float32) for _ in range(12)]
        one.step()
        assert all((other == 7).all() for other in others)


@both
def test_a_parameter_with_all_its_arrays_is_given_up(wrap):
    one, params = stepped(wrap(Adam), n=50_000)
    one.param_groups[0]["params"].remove(params[0])
    one.state.pop(params[0])
    del params[0]
    gc.collect()
    others = [np.full(50_000, 7, np.float32) for _ in range(12)]
    one.step()
    assert all((other == 7).all() for other in others)


def test_an_instruction_set_chosen_between_steps():
    one, _ = stepped()
    other, _ = stepped()
    for name in kernels.isas():
        with kernels.use(name):
            one.step()
            assert one.last_step.isa == name
        other.step()
    assert everything(one) == everything(other)
