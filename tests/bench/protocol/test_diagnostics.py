import math

import numpy as np
import pytest

import trainstation as ts
from trainstation.bench.protocol.diagnostics import DIAGNOSTICS, diagnose
from trainstation.bench.records.rows import to_json
from trainstation.optimizers.hyper import require


class Signs(ts.optimizers.Optimizer):
    """Steps of one size, along the sign of a momentum: on and on, where no gradient is seen."""

    states = ("m",)

    def __init__(self, params=None, lr=1e-3, **common):
        super().__init__(params, {"lr": lr}, **common)

    def scalars(self, hyper, t):
        return (hyper["lr"],)

    def update(self, p, g, state, scalars):
        state["m"][...] = 0.9 * state["m"] + g
        p -= scalars[0] * np.sign(state["m"])


class Climbs(ts.optimizers.Adam):
    def update(self, p, g, state, scalars):
        super().update(p, -g, state, scalars)


class Fails(ts.optimizers.SGD):
    def update(self, p, g, state, scalars):
        msg = "no\nway"
        raise ArithmeticError(msg)


class Fussy(ts.optimizers.SGD):
    """SGD that raises but for small rates."""

    def validate(self, hyper):
        super().validate(hyper)
        require(hyper["lr"] <= 1e-3, "learning rate", hyper["lr"])


class SkipsNothing(ts.optimizers.Adam):
    def __init__(self, params=None, lr=1e-3, on_nonfinite="ignore"):
        super().__init__(params, lr)


class Elsewhere(ts.optimizers.SGD):
    def eval(self):
        for parameter in self.param_groups[0]["params"]:
            parameter.data[...] = 0


class Careless(ts.optimizers.Adam):
    def __init__(self, params=None, lr=1e-3):
        super().__init__(params, lr)


def diagnosed(name):
    return {row.diagnostic: row for row in diagnose(name, "env")}


def test_each_separates(register):
    register(ts.optimizers.SGD, "still", defaults={"lr": 0.0})
    register(SkipsNothing, "skips_nothing")
    register(Signs, "signs")
    found = {name: diagnosed(name) for name in ("sgd", "adam", "signs", "still", "skips_nothing")}
    for name, passes, fails in (
        ("ill_conditioned", "adam", "sgd"),
        ("plateau", "adam", "sgd"),
        ("saddle", "adam", "sgd"),
        ("heavy_tailed", "adam", "sgd"),
        ("sparse", "sgd", "signs"),
        ("large_loss", "adam", "sgd"),
        ("small_loss", "signs", "sgd"),
        ("nan_gradient", "sgd", "skips_nothing"),
        ("inf_gradient", "adam", "skips_nothing"),
    ):
        assert found[passes][name].status in ("default", "tuned"), name
        assert found[passes][name].value <= DIAGNOSTICS[name].limit
        assert found[fails][name].status == "fail", name
        assert not (found[fails][name].value or math.inf) <= DIAGNOSTICS[name].limit
    assert {row.status for row in found["still"].values()} == {"fail"}
    assert set(found["still"]) == set(DIAGNOSTICS)


def test_an_adam_that_climbs_passes_nothing(register):
    register(Climbs, "climbs")
    assert {row.status for row in diagnosed("climbs").values()} == {"fail"}


def test_a_row_says_with_which_rate_it_passed_or_how_far_it_was_from_passing():
    sgd, adam = diagnosed("sgd"), diagnosed("adam")
    assert (adam["saddle"].status, adam["saddle"].lr, adam["saddle"].reason) == ("default", 1e-3, "")
    assert (sgd["nan_gradient"].status, sgd["nan_gradient"].lr) == ("tuned", 0.03162)  # the nearest that passes
    assert sgd["heavy_tailed"].reason.endswith(" of the way is left, in the worst element; 0.35 passes")
    row = sgd["ill_conditioned"]
    assert (row.env_id, row.optimizer) == ("env", "sgd")
    assert (row.distribution, row.version) == ("trainstation-optim", ts.__version__)
    assert row.limit == DIAGNOSTICS["ill_conditioned"].limit


def test_the_same_optimizer_gives_the_same_rows():
    one = list(diagnose("Adam", "env"))
    np.random.seed(1)  # noqa: NPY002  # what others draw does not matter
    ts.random.manual_seed(1)
    assert list(diagnose("trainstation/adam", "env")) == one


def test_a_stranger_that_raises_is_an_error_with_its_reason(register):
    register(Fails, "fails")
    for row in diagnosed("fails").values():
        assert row.status == "error"
        assert row.reason.startswith("ArithmeticError: no way; raised by Fails.update")
        assert (row.lr, row.value) == (None, None)


def test_a_rate_that_is_refused_does_not_pass(register):
    register(Fussy, "fussy")
    row = diagnosed("fussy")["nan_gradient"]  # sgd passes it at a rate that is refused here
    assert (row.status, row.lr) == ("fail", 1e-3)
    assert row.limit < row.value < 1


def test_a_class_that_cannot_skip_fails_and_says_why(register):
    register(Careless, "careless")
    rows = diagnosed("careless")
    assert rows["saddle"].status == "default"
    for name in ("nan_gradient", "inf_gradient"):
        assert (rows[name].status, rows[name].reason) == ("fail", "it has no on_nonfinite")


def test_an_averaging_optimizer_is_judged_where_it_wants_to_be(register):
    register(Elsewhere, "elsewhere")
    assert diagnosed("elsewhere")["sparse"].value == 0


def test_rows_can_be_written():
    for row in diagnosed("sgd").values():
        assert '"kind": "diagnostic"' in to_json(row)


def test_an_unknown_optimizer_is_unknown():
    with pytest.raises(ts.UnknownOptimizerError):
        next(diagnose("adma", "env"))
