"""States changed by hand between steps are noticed at the next one."""

import numpy as np
import pytest
from steps import both, everything, same_after_a_step, stepped, variants, with_gradient

from trainstation.optimizers import SGD, Adam


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
        lambda optimizer, p: optimizer.state[p].clear(),
        lambda optimizer, p: (optimizer.state[p].clear(), optimizer.load_state_dict(optimizer.state_dict())),
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


@both
def test_a_state_that_is_new_while_there_is_no_gradient_is_kept(wrap):
    optimizer, params = stepped(wrap(Adam))
    gradient, params[0].grad = params[0].grad, None
    for group in optimizer.param_groups:
        group["amsgrad"] = True
    optimizer.step()
    params[0].grad = gradient
    optimizer.step()
    assert (optimizer.state[params[0]]["max_exp_avg_sq"] > 0).all()


@both
def test_a_state_that_was_emptied_begins_anew_and_is_saved(wrap):
    one, params = stepped(wrap(Adam))
    one.state[params[1]].clear()
    assert sorted(one.state_dict()["state"]) == [0, 2]
    one.step()
    one.step()
    assert int(one.state[params[1]]["step"]) == 2
    fresh = wrap(Adam)([{"params": params[:2]}, {"params": params[2:]}])
    fresh.load_state_dict(one.state_dict())
    assert everything(fresh) == everything(one)


@both
def test_a_state_that_a_flag_asks_for_is_kept_where_its_parameter_has_no_gradient(wrap):
    one, params = stepped(wrap(Adam))
    gradient, params[2].grad = params[2].grad, None
    for group in one.param_groups:
        group["amsgrad"] = True
    one.step()
    assert all("max_exp_avg_sq" in one.state[p] for p in params)
    params[2].grad = gradient
    one.step()
    assert one.state[params[2]]["max_exp_avg_sq"].any()
