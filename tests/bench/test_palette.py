import json

from hypothesis import given
from hypothesis import strategies as st

from trainstation.bench.palette import COLOURS, OURS, Look, look_of
from trainstation.bench.report.page.looks import looks_of
from trainstation.registry.first_party import TABLE
from trainstation.registry.lookup import list_optimizers


def test_all_of_ours_differ():
    assert len(OURS) == len(set(OURS)) == len({look_of(name) for name in OURS})
    assert len({look_of(name).place for name in OURS[:7]}) == 7
    assert {"adam", "adamw", "sgd", "rmsprop"} <= set(OURS)
    given = json.loads(TABLE.read_text(encoding="utf-8"))
    brought = {name for distribution, names in given.items() if distribution != "trainstation-peers" for name in names}
    assert {*list_optimizers(origin="builtin"), *brought} - {"cadamw"} == set(OURS)  # that is an alias


@given(st.text(min_size=1), st.lists(st.text(min_size=1)))
def test_a_look_depends_on_the_name_alone(name, others):
    look = look_of(name)
    assert isinstance(look, Look)
    assert 0 <= look.place < len(COLOURS)
    assert looks_of([*others, name])[name].drawn == looks_of([name, *others])[name].drawn == look


def test_options_stay_in_the_colour():
    assert look_of("adam:state_dtype=8bit").place == look_of("adam").place
    assert look_of("adam:state_dtype=8bit") != look_of("adam")


def test_only_controls_are_grey():
    grey = COLOURS.index("#8A8A8A")
    assert look_of("control_idle").place == look_of("control_broken").place == grey
    assert grey not in {look_of(name).place for name in (*OURS, "mine", "torch.adam", "numpy.sgd")}
