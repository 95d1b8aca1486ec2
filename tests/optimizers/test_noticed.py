"""What is changed between steps by hand is noticed at the next one; memory that was given up is never written."""

import copy
import gc

import numpy as np
import pytest
from cases import everything, interpreted, variants, with_gradient

import trainstation as ts
from trainstation import kernels
from trainstation.optimizers import SGD, Adam, RMSprop

both = pytest.mark.parametrize("wrap", [lambda kind: kind, interpreted], ids=["compiled", "interpreted"])


def stepped(kind=Adam, n=5, steps=2, count=3, **hyper):
    """An optimizer whose table is warm, and its parameters."""
    rng = np.random.default_rng(n)
    params = [with_gradient(rng.standard_normal(n), rng.standard_normal(n)) for _ in range(count)]
    optimizer = kind([{"params": params[:2]}, {"params": params[2:]}] if count > 2 else params, **hyper)
    for _ in range(steps):
        optimizer.step()
    return optimizer, params


def same_after_a_step(first, second):
    first.step()
    second.step()
    assert everything(first) == everything(second)


# States


@both
@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq"])
def test_a_state_array_put_in_the_place_of_another(wrap, name):
    one, params = stepped(wrap(Adam))
    other, others = stepped(wrap(Adam))
    old = one.state[params[1]][name]
    kept = old.copy()
    one.state[params[1]][name] = np.full(5, 0.25, np.float32)
    other.state[others[1]][name][...] = 0.25
    same_after_a_step(one, other)
    assert old.tobytes() == kept.tobytes()


@both
@pytest.mark.parametrize(
    "remove",
    [
        lambda state, p: state[p].pop("exp_avg"),
        lambda state, p: state[p].__delitem__("exp_avg"),
        lambda state, p: state[p].update(exp_avg=np.zeros(5, np.float32)),
        lambda state, p: state[p].__ior__({"exp_avg": np.zeros(5, np.float32)}),
        lambda state, p: state[p].__setitem__("exp_avg", np.zeros((5,), np.float32)),
    ],
)
def test_a_state_array_that_is_gone_starts_at_zero(wrap, remove):
    one, params = stepped(wrap(Adam))
    other, others = stepped(wrap(Adam))
    remove(one.state, params[0])
    other.state[others[0]]["exp_avg"][...] = 0
    same_after_a_step(one, other)


@both
@pytest.mark.parametrize(
    "forget",
    [
        lambda optimizer, p: optimizer.state.pop(p),
        lambda optimizer, p: optimizer.state.__delitem__(p),
        lambda optimizer, p: (optimizer.unlink_parameter(p), optimizer.param_groups[0]["params"].insert(0, p)),
        lambda optimizer, p: optimizer.state[p].update({k: v * 0 for k, v in optimizer.state[p].items()}),
    ],
)
def test_a_parameter_whose_state_is_forgotten_starts_anew(wrap, forget):
    one, params = stepped(wrap(Adam))
    p = params[0]
    fresh = with_gradient(p.data, p.grad.data)
    forget(one, p)
    one.step()
    wrap(Adam)([fresh]).step()
    assert p.data.tobytes() == fresh.data.tobytes()
    assert [int(one.state[q]["step"]) for q in params] == [1, 3, 3]


@both
@pytest.mark.parametrize(
    "clear",
    [
        lambda optimizer: optimizer.state.clear(),
        lambda optimizer: [optimizer.state.popitem() for _ in range(3)],
        lambda optimizer: optimizer.clear_states(),
        lambda optimizer: setattr(optimizer, "state", {}),
    ],
    ids=["clear", "popitem", "clear_states", "another dict"],
)
def test_all_states_forgotten_start_anew(wrap, clear):
    one, params = stepped(wrap(Adam))
    fresh = [with_gradient(p.data, p.grad.data) for p in params]
    clear(one)
    one.step()
    wrap(Adam)(fresh).step()
    assert [p.data.tobytes() for p in params] == [p.data.tobytes() for p in fresh]
    assert [int(one.state[p]["step"]) for p in params] == [1, 1, 1]


@both
@variants
def test_a_counter_written_in_place(kind, hyper, wrap):
    one, params = stepped(wrap(kind), **hyper)
    other, others = stepped(wrap(kind), **hyper)
    one.state[params[1]]["step"][...] = 5
    other.state[others[1]]["step"] = 5
    same_after_a_step(one, other)
    same_after_a_step(one, other)
    assert [int(one.state[p]["step"]) for p in params] == [4, 7, 4]


@both
def test_a_counter_that_is_no_count_is_an_error_before_anything_moves(wrap):
    one, params = stepped(wrap(SGD), momentum=0.9)
    one.state[params[1]]["step"][...] = -5
    before = everything(one)
    with pytest.raises(ValueError, match="step must be a count"):
        one.step()
    assert everything(one) == before


@both
def test_a_state_frozen_between_steps_is_an_error_that_names_it(wrap):
    one, params = stepped(wrap(Adam))
    one.state[params[2]]["exp_avg_sq"].flags.writeable = False
    before = everything(one)
    with pytest.raises(ValueError, match=r"parameter 0 of group 1.* exp_avg_sq is read-only"):
        one.step()
    assert everything(one) == before
    one.state[params[2]]["exp_avg_sq"].flags.writeable = True
    one.step()
    assert one.state[params[2]]["step"] == 3


@both
def test_a_frozen_state_that_no_step_writes_to_is_nobodys_business(wrap):
    one, params = stepped(wrap(Adam), amsgrad=True)
    one.param_groups[0]["amsgrad"] = False
    one.step()
    one.state[params[0]]["max_exp_avg_sq"].flags.writeable = False
    one.step()
    assert one.state[params[0]]["step"] == 4


@both
def test_another_key_in_a_state_stays(wrap):
    one, params = stepped(wrap(Adam))
    other, _ = stepped(wrap(Adam))
    one.state[params[0]]["note"] = "mine"
    one.step()
    other.step()
    assert one.state[params[0]].pop("note") == "mine"
    assert everything(one) == everything(other)


@both
@pytest.mark.parametrize("layout", ["offset", "every second", "reversed"])
@variants
def test_states_set_by_hand_in_any_layout_give_the_same_bits(kind, hyper, wrap, layout):
    one, params = stepped(wrap(kind), **hyper)
    other, _ = stepped(wrap(kind), **hyper)
    for p in params:
        for name, value in list(one.state[p].items()):
            if name != "step":
                made = {
                    "offset": lambda: np.frombuffer(bytearray(23), np.float32, 5, 3),
                    "every second": lambda: np.zeros(10, np.float32)[::2],
                    "reversed": lambda: np.zeros(5, np.float32)[::-1],
                }[layout]()
                made[...] = value
                one.state[p][name] = made
    for _ in range(2):
        one.step()
        other.step()
    for p, (data, state) in zip(params, everything(other), strict=True):
        assert p.data.tobytes() == data
        assert {name: np.ascontiguousarray(s).tobytes() for name, s in one.state[p].items()} == state


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
