from hypothesis import given
from hypothesis import strategies as st

from trainstation.bench.palette import COLOURS, OURS, Look, look_of
from trainstation.bench.report.page.looks import looks_of
from trainstation.registry.lookup import list_optimizers


def test_all_of_ours_differ():
    assert len(OURS) == len(set(OURS)) == len({look_of(name) for name in OURS})
    assert len({look_of(name).place for name in OURS[:7]}) == 7
    assert {"adam", "adamw", "sgd", "rmsprop"} <= set(OURS)
    assert {*list_optimizers(origin="builtin")} <= set(OURS)


@given(st.text(min_size=1), st.lists(st.text(min_size=1)))
def test_a_look_depends_on_the_name_alone(name, others):
    look = look_of(name)
    assert isinstance(look, Look)
    assert 0 <= look.place < len(COLOURS)
    assert looks_of([*others, name])[name].drawn == looks_of([name, *others])[name].drawn == look


@given(st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1))
def test_a_stranger_looks_like_none_of_ours(name):
    if name not in OURS:
        assert look_of(name) not in {look_of(each) for each in OURS}


def test_options_stay_in_the_colour():
    assert look_of("adam:state_dtype=8bit").place == look_of("adam").place
    assert look_of("adam:state_dtype=8bit") != look_of("adam")


def test_only_controls_are_grey():
    grey = COLOURS.index("#8A8A8A")
    assert look_of("control_idle").place == look_of("control_broken").place == grey
    assert grey not in {look_of(name).place for name in (*OURS, "mine", "torch.adam", "numpy.sgd")}
