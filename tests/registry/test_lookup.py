import dataclasses
import itertools
import json
import math

import fakes
import numpy as np
import pytest

import trainstation as ts
from trainstation.jsonable import jsonable
from trainstation.registry import OptimizerInfo, OptimizerSpec
from trainstation.registry.lookup import find_optimizer
from trainstation.registry.names import Entry, Registry, normalize, project


class Plain(ts.optimizers.SGD):
    """Plain: descent.

    And more.
    """


def entry(name, distribution="somewhere", origin="plugin", target=Plain, **spec):
    return Entry(OptimizerSpec(name, target, **spec), distribution, "1.0", origin)


def registry(*entries):
    made = Registry()
    for each in entries:
        made.add(each)
    return made


@pytest.fixture
def script():
    """Register by this; what is registered is taken back."""
    names = []

    def register(cls=Plain, **options):
        ts.register_optimizer(cls, **options)
        names.append(options["name"])

    yield register
    for name in names:
        ts.unregister_optimizer(name)


# Names


@pytest.mark.parametrize(
    ("name", "kept"),
    [("Adam", "adam"), ("my-adam", "my_adam"), ("My_Adam", "my_adam"), ("a.b-2", "a.b_2"), ("nadam_w", "nadam_w")],
)
def test_names_are_kept_in_lower_case_with_underscores(name, kept):
    assert normalize(name) == kept
    assert OptimizerSpec(name, Plain).name == kept
    assert OptimizerSpec("x", Plain, aliases=(name,)).aliases == (kept,)
    assert registry(entry(name)).find(name.upper()).spec.name == kept


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "adam ",
        "ad am",
        "\u0430dam",
        "\u212aron",
        "\uff41dam",
        "somewhere/adam",
        "adam!",
        "adam\n",
        "*",
        "../adam",
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="is not a name for an optimizer"):
        OptimizerSpec(name, Plain)
    with pytest.raises(ValueError, match="is not a name for an optimizer"):
        OptimizerSpec("adam", Plain, aliases=("fine", name))
    with pytest.raises(ValueError, match="is not a name for an optimizer"):
        ts.register_optimizer(Plain, name=name)


@pytest.mark.parametrize("name", [None, 3, ts.optimizers.Adam, b"adam"])
def test_a_name_is_a_string(name):
    for call in (ts.create_optimizer, ts.get_optimizer, ts.optimizer_info, lambda n: OptimizerSpec(n, Plain)):
        with pytest.raises(TypeError, match="name is a string"):
            call(name)


@pytest.mark.parametrize("several", ["aliases", "tags"])
def test_a_string_is_not_a_tuple_of_strings(several):
    with pytest.raises(TypeError, match=f"{several} of 'x': a tuple"):
        OptimizerSpec("x", Plain, **{several: "peer"})


@pytest.mark.parametrize(
    "target", ["module", "module:", ":Class", "module:Class()", "a module:Class", None, 3, Plain(lr=1)]
)
def test_a_target_is_a_class_or_says_where_one_is(target):
    with pytest.raises(ValueError, match="the target of 'x' is a class or 'module:Class'"):
        OptimizerSpec("x", target)


def test_a_spec_keeps_no_hold_on_what_it_was_given():
    defaults, tags, space = {"lr": 1.0}, ["a"], {"lr": (0.1, 1.0), "eps": [1]}
    spec = OptimizerSpec("x", Plain, tags=tags, defaults=defaults, search_space=space)
    defaults["lr"] = 2.0
    tags.append("b")
    space["eps"].append(2)
    del space["lr"]
    assert (spec.defaults, spec.tags, spec.search_space) == ({"lr": 1.0}, ("a",), {"lr": (0.1, 1.0), "eps": [1]})


@pytest.mark.parametrize(
    ("space", "kept"),
    [
        (None, None),
        ({}, {}),
        ({"lr": (1e-4, 1)}, {"lr": (1e-4, 1.0)}),
        ({"betas": [(0.9, 0.99), None], "eps": [1]}, {"betas": [(0.9, 0.99), None], "eps": [1]}),
    ],
)
def test_a_search_space_has_intervals_and_choices(space, kept):
    assert OptimizerSpec("x", Plain, search_space=space).search_space == kept


@pytest.mark.parametrize(
    ("space", "kind", "text"),
    [
        ([("lr", (0.1, 1.0))], TypeError, "a mapping from names of hyper-parameters"),
        ({1: (0.1, 1.0)}, TypeError, "a mapping from names of hyper-parameters"),
        ({"lr": 0.1}, TypeError, r"'lr' needs \(low, high\) or a list of choices, not 0.1"),
        ({"lr": "ab"}, TypeError, "'lr' needs"),
        ({"lr": ("0.1", 1.0)}, TypeError, "'lr' needs"),
        ({"lr": (True, 2.0)}, TypeError, "'lr' needs"),
        ({"lr": (0.0, 1.0)}, ValueError, r"'lr' needs 0 < low < high, .* not \(0.0, 1.0\)"),
        ({"lr": (1.0, 1.0)}, ValueError, "'lr' needs 0 < low < high"),
        ({"lr": (1.0, math.inf)}, ValueError, "'lr' needs 0 < low < high, both finite"),
        ({"lr": (math.nan, 1.0)}, ValueError, "'lr' needs 0 < low < high"),
        ({"betas": (0.9, 0.99, 0.999)}, ValueError, "'betas' needs 0 < low < high"),
        ({"betas": []}, ValueError, "'betas' has no choices"),
    ],
)
def test_another_search_space_is_refused(space, kind, text):
    with pytest.raises(kind, match=f"search_space of 'x': {text}"):
        OptimizerSpec("x", Plain, search_space=space)


def test_an_info_has_the_declared_space_or_one_around_the_rate():
    declared = entry("x", search_space={"momentum": [0.5, 0.9]}, defaults={"lr": 0.3})
    assert declared.info().search_space == {"momentum": [0.5, 0.9]}
    assert entry("x", defaults={"lr": 0.3}).info().search_space == {"lr": (pytest.approx(0.01), pytest.approx(9.0))}
    assert entry("x", defaults={"lr": 0.0}).info().search_space == {}
    json.dumps(jsonable(declared.info()), allow_nan=False)


@pytest.mark.parametrize("spellings", [("trainstation-lion", "Trainstation_Lion"), ("a.b", "a-b"), ("a--b", "A_.b")])
def test_two_spellings_of_a_distribution_are_one(spellings):
    assert len({project(name) for name in spellings}) == 1


def test_a_spec_and_an_info_do_not_change():
    for each in (OptimizerSpec("x", Plain), ts.optimizer_info("adam")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            each.name = "eve"


# Finding


def test_finds_plain_names_aliases_and_qualified_names():
    lion = entry("lion", "trainstation-lion", aliases=("evolved-sign", "lion"))
    found = registry(entry("sign"), lion)
    for name in ("lion", "LION", "evolved_sign", "Evolved-Sign", "trainstation-lion/lion", "Trainstation.LION/lion"):
        assert found.find(name) is lion
    for name in ("tiger", "somewhere/lion", "trainstation-lion", "/", "lion/", "lion/lion"):
        assert found.find(name) is None


@pytest.mark.parametrize("builtin_first", [True, False])
def test_a_builtins_plain_name_always_is_the_builtin(builtin_first):
    ours, theirs = entry("adam", "trainstation-optim", "builtin"), entry("adam", "evil")
    alias = entry("good", "other", aliases=("adam",))
    found = registry(*([ours, theirs, alias] if builtin_first else [theirs, alias, ours]))
    assert found.find("Adam") is ours
    for name in ("trainstation-optim/adam", "trainstation/adam", "Trainstation/Good"):
        assert found.find(name) is (ours if name.endswith("adam") else None)
    assert found.find("evil/adam") is theirs
    assert found.names() == ["adam", "evil/adam", "good"]


def test_a_name_of_two_distributions_is_an_error_that_says_how_to_choose():
    one, two = entry("lion", "one-lion"), entry("leo", "two-lions", aliases=("lion",))
    found = registry(one, two)
    with pytest.raises(ts.DuplicateOptimizerError, match=r"'lion'.*several.*: one-lion/lion or two-lions/leo"):
        found.find("lion")
    assert found.find("one-lion/lion") is one
    assert found.find("two-lions/lion") is found.find("leo") is two


def test_every_listed_name_means_its_own_optimizer():
    entries = [
        entry("lion", "one"),
        entry("lion", "two"),
        entry("adam", "evil"),
        entry("adam", "trainstation-optim", "builtin"),
    ]
    found = registry(*entries)
    assert found.names() == ["adam", "evil/adam", "one/lion", "two/lion"]
    assert {found.find(name) for name in found.names()} == set(entries)
    assert found.names("lion") == ["one/lion", "two/lion"]


def test_a_distribution_registers_a_name_once_and_else_nothing():
    found = registry(entry("lion", "zoo"))
    for several in (
        [entry("puma", "zoo"), entry("Lion", "Zoo")],
        [entry("cat", "zoo"), entry("dog", "zoo", aliases=("cat",))],
    ):
        with pytest.raises(ts.DuplicateOptimizerError, match=r"oo registers '(lion|cat)' twice"):
            found.add(*several)
        assert found.names() == ["lion"]


ZOO = [
    entry("lion", "zoo", tags=("cat", "big")),
    entry("lynx", "zoo", tags=("cat",)),
    entry("li-ly", "field", tags=("flower",), origin="script"),
    entry("sgd", "trainstation-optim", "builtin"),
]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["li_ly", "lion", "lynx", "sgd"]),
        ({"pattern": "L*"}, ["li_ly", "lion", "lynx"]),
        ({"pattern": "li-*"}, ["li_ly"]),
        ({"pattern": "[a-m]??[m-z]"}, ["lion", "lynx"]),
        ({"pattern": "lion"}, ["lion"]),
        ({"pattern": "nothing*"}, []),
        ({"exclude": ("li*",)}, ["lynx", "sgd"]),
        ({"exclude": ("LI?N", "s*")}, ["li_ly", "lynx"]),
        ({"tags": ("cat",)}, ["lion", "lynx"]),
        ({"tags": ("cat", "big")}, ["lion"]),
        ({"origin": "script"}, ["li_ly"]),
        ({"origin": "builtin"}, ["sgd"]),
        ({"pattern": "l*", "tags": ("cat",), "exclude": ("ly*",), "origin": "plugin"}, ["lion"]),
    ],
)
def test_lists_what_matches(options, names):
    assert registry(*ZOO).names(**options) == names


def test_an_origin_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="origin is one of builtin, plugin, script, not 'plugins'"):
        ts.list_optimizers(origin="plugins")


def test_one_tag_or_pattern_may_be_a_string():
    assert ts.list_optimizers("*", origin="builtin", tags="adaptive", exclude="rms*") == ["adam", "adamw"]


@pytest.mark.parametrize(
    ("wrong", "near"), [("adma", "adam"), ("Adamm", "adam"), ("rms-prop", "rmsprop"), ("sgd ", "sgd")]
)
def test_an_unknown_name_suggests_the_nearest(wrong, near):
    with pytest.raises(
        ts.UnknownOptimizerError, match=rf"unknown optimizer '{wrong}'; did you mean .*'{near}'.*trainstation list"
    ):
        ts.get_optimizer(wrong)


def test_an_unknown_name_like_no_other_suggests_nothing():
    with pytest.raises(ts.UnknownOptimizerError) as caught:
        ts.create_optimizer("zzzzzz")
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ts.TrainStationError)
    assert str(caught.value) == "unknown optimizer 'zzzzzz' (`trainstation list` shows all)"


# Scripts


def test_registers_by_a_call(script):
    script(name="My-Plain", aliases=("mp",), tags=("mine",), summary="as I like it")
    assert ts.get_optimizer("my_plain") is ts.get_optimizer("MP") is Plain
    assert ts.list_optimizers(origin="script") == ts.list_optimizers(tags="mine") == ["my_plain"]
    assert ts.optimizer_info("mp").summary == "as I like it"


def test_registers_by_a_decorator_and_takes_back():
    @ts.register_optimizer(name="decorated", aliases=("deco",))
    class Decorated(ts.optimizers.Adam):
        pass

    assert ts.get_optimizer("decorated") is Decorated
    ts.unregister_optimizer("Deco")
    for name in ("decorated", "deco"):
        with pytest.raises(ts.UnknownOptimizerError) as caught:
            ts.get_optimizer(name)
        assert "decorated" not in str(caught.value).replace(f"'{name}'", "", 1)
    with pytest.raises(ts.UnknownOptimizerError, match="no script has registered 'decorated'"):
        ts.unregister_optimizer("decorated")


def test_a_builtin_cannot_be_taken_or_taken_away():
    for options in ({"name": "Adam"}, {"name": "mine", "aliases": ("sgd",)}):
        with pytest.raises(ts.DuplicateOptimizerError, match="built-in"):
            ts.register_optimizer(Plain, **options)
    with pytest.raises(ts.UnknownOptimizerError, match="no script has registered 'adam'"):
        ts.unregister_optimizer("adam")
    assert ts.get_optimizer("adam") is ts.optimizers.Adam
    assert ts.list_optimizers(origin="script") == []


def test_a_script_registers_a_name_once(script):
    script(name="plain")
    with pytest.raises(ts.DuplicateOptimizerError, match="a script registers 'plain' twice"):
        ts.register_optimizer(Plain, name="Plain")


def test_the_defaults_of_a_spec_are_used_and_shown(script):
    script(name="nesterov", defaults={"momentum": 0.9, "nesterov": True})
    info = ts.optimizer_info("nesterov")
    assert (info.defaults["momentum"], info.defaults["nesterov"], info.defaults["lr"]) == (0.9, True, 1e-3)
    p = ts.Tensor.ones(3, requires_grad=True)
    group = ts.create_optimizer("nesterov", [p], momentum=0.5).param_groups[0]
    assert (group["momentum"], group["nesterov"], group["lr"]) == (0.5, True, 1e-3)


# Search spaces of what is installed


def first_party():
    for name in ts.list_optimizers():
        entry = find_optimizer(name)
        if entry.distribution.startswith("trainstation") and "peer" not in entry.spec.tags:
            yield name


@pytest.mark.parametrize("name", list(first_party()))
def test_first_party_spaces_are_equally_wide_and_each_corner_makes_a_step(name):
    space = find_optimizer(name).spec.search_space
    low, high = space["lr"]
    assert high / low == pytest.approx(1000)
    assert low <= ts.optimizer_info(name).defaults["lr"] <= high
    assert len(space) <= 3
    assert all(isinstance(side, list) and len(side) <= 3 for key, side in space.items() if key != "lr")
    for values in itertools.product(*space.values()):
        p = ts.Tensor.ones((2, 2), requires_grad=True)
        optimizer = ts.create_optimizer(name, [p], **dict(zip(space, values, strict=True)))
        for _ in range(2):  # SOAP's first step moves nothing
            optimizer.zero_grad()
            p.sum().backward()
            optimizer.step()
        assert np.isfinite(p.data).all()
        assert not (p.data == 1).all()


def test_the_schedule_free_say_so():
    tagged = set(ts.list_optimizers(tags="schedule-free"))
    assert tagged == set(ts.list_optimizers("schedulefree_*"))


# Creating and describing


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("adam", ts.optimizers.Adam),
        ("AdamW", ts.optimizers.AdamW),
        ("trainstation/sgd", ts.optimizers.SGD),
        ("RMSProp", ts.optimizers.RMSprop),
    ],
)
def test_creates_builtins_by_name(name, cls):
    p = ts.Tensor.ones(3, requires_grad=True)
    optimizer = ts.create_optimizer(name, [p], lr=0.5)
    assert type(optimizer) is cls is ts.get_optimizer(name)
    assert optimizer.is_parameter_linked(p)
    assert optimizer.learning_rate() == 0.5
    assert ts.create_optimizer(name).parameter_count() == 0


def test_an_unknown_keyword_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match="beta1"):
        ts.create_optimizer("adam", beta1=0.9)


def test_info_of_a_builtin():
    info = ts.optimizer_info("AdamW")
    assert info == OptimizerInfo(
        name="adamw",
        summary="Adam with decoupled weight decay",
        defaults={
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "weight_decay": 1e-2,
            "amsgrad": False,
            "maximize": False,
            "state_dtype": None,
            "max_grad_norm": None,
            "on_nonfinite": "ignore",
        },
        aliases=(),
        tags=("adaptive", "momentum"),
        paper="https://arxiv.org/abs/1711.05101",
        rule="adamw",
        distribution="trainstation-optim",
        version=ts.__version__,
        module="trainstation.optimizers.adam",
        file=ts.optimizers.adam.__file__,
        origin="builtin",
        search_space=find_optimizer("adamw").spec.search_space,
    )
    fields = "name summary defaults aliases tags paper rule distribution version module file origin search_space"
    assert " ".join(field.name for field in dataclasses.fields(info)) == fields


def test_info_of_a_scripts_class(script):
    script(name="plain")
    info = ts.optimizer_info("plain")
    assert (info.summary, info.origin, info.rule, info.file) == ("Plain: descent.", "script", "sgd", __file__)


def test_info_of_a_class_that_is_typed_into_an_interpreter(tmp_path):
    code = """
        import trainstation as ts
        @ts.register_optimizer(name="typed")
        class Typed(ts.optimizers.SGD): pass
        info = ts.optimizer_info("typed")
        print([info.summary, info.file, info.module, info.origin])
    """
    assert fakes.python(tmp_path, code).stdout == "['', '', '__main__', 'script']\n"


@pytest.mark.parametrize(
    ("target", "kind", "text"),
    [
        ("no_such_module:Class", ModuleNotFoundError, "no_such_module"),
        ("json:NoSuchClass", AttributeError, "NoSuchClass"),
        ("json:dumps", TypeError, "not an optimizer class"),
        ("json:JSONDecoder", TypeError, "not an optimizer class"),
    ],
)
def test_a_target_that_cannot_be_imported_names_its_distribution(target, kind, text):
    with pytest.raises(kind, match=text) as caught:
        entry("lion", "zoo", target=target).load()
    assert caught.value.__notes__ == ["while 'lion' of zoo 1.0 was imported"]


def test_jsonable():
    value = {
        "a": (1, 2.5, np.float32(0.5), np.int64(3)),
        4: float("inf"),
        "n": None,
        "b": True,
        "c": Plain,
        "x": np.nan,
    }
    expected = {"a": [1, 2.5, 0.5, 3], "4": None, "n": None, "b": True, "c": repr(Plain), "x": None}
    assert jsonable(value) == expected
    assert jsonable(True) is True
    json.dumps(jsonable(ts.optimizer_info("adam")), allow_nan=False)


@pytest.mark.parametrize("cls", [int, type("Plain", (), {})])
def test_a_class_that_is_no_optimizer_is_refused(cls):
    with pytest.raises(TypeError, match=r"'nothing' is .*, not an optimizer class"):
        ts.register_optimizer(cls, name="nothing")
    with pytest.raises(ts.UnknownOptimizerError):
        ts.get_optimizer("nothing")
