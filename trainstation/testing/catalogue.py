"""The table of checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trainstation.testing.checks import arrays, basics, hyper, interface, learning, linking, saving
from trainstation.testing.subject import Subject

__all__ = ["CHECKS", "Check"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: of it.
        function: returns a note, raises `NotApplicable`, or fails.
        wants: what it asks for, in a sentence.
        needs: names of checks that it rests on: where one of them fails it would only fail of the same.

    """

    name: str
    function: Callable[[Subject], str]
    wants: str
    needs: tuple[str, ...] = ()


RUNS = ("steps",)
REPEATS = ("steps", "deterministic")
RESUMES = ("steps", "deterministic", "resume")

CHECKS: tuple[Check, ...] = (
    Check("docstring", interface.docstring, "The docstring has a summary, and says what each argument is."),
    Check("signature", interface.signature, "`params=None` comes first, all has a default, extras are keyword-only."),
    Check("unknown_keyword", interface.unknown_keyword, "A misspelt hyper-parameter is a TypeError.", RUNS),
    Check(
        "hyper_parameters_in_defaults",
        interface.hyper_parameters_in_defaults,
        "Every hyper-parameter of the signature is in `defaults`.",
    ),
    Check("steps", basics.steps, "Parameters of every shape that is taken are linked, counted and moved in place."),
    Check("deterministic", basics.deterministic, "A run has the same bytes twice.", RUNS),
    Check("converges", learning.converges, "Three functions are minimised with some learning rate.", RUNS),
    Check("writes_no_gradient", arrays.writes_no_gradient, "`.grad` has the same bytes after a step.", RUNS),
    Check("odd_shapes", arrays.odd_shapes, "Parameters of one element and of none are stepped as any other.", REPEATS),
    Check("non_contiguous", arrays.non_contiguous, "Views are stepped as their contiguous copies are.", REPEATS),
    Check("double_precision", arrays.double_precision, "float64 parameters are stepped in float64.", REPEATS),
    Check("late_parameters", linking.late_parameters, "A parameter that is linked late starts at t = 1.", REPEATS),
    Check("missing_gradients", linking.missing_gradients, "A parameter without gradient is not touched.", REPEATS),
    Check("nonfinite_gradients", linking.nonfinite_gradients, "A step that is refused leaves no trace.", REPEATS),
    Check("weight_decay", hyper.weight_decay, "weight_decay has an effect, the same of a group.", REPEATS),
    Check("zero_learning_rate", hyper.zero_learning_rate, "lr=0 leaves values as they are.", RUNS),
    Check("maximize", hyper.maximize, "maximize=True mirrors maximize=False.", REPEATS),
    Check(
        "state_dict_round_trip",
        saving.state_dict_round_trip,
        "A state dict is loaded as it was saved, and shares nothing.",
        REPEATS,
    ),
    Check("resume", saving.resume, "A run that was interrupted goes on with the same bytes.", REPEATS),
    Check("groups", hyper.groups, "Hyper-parameters are read from groups, at every step.", RESUMES),
    Check("threads", basics.threads, "Optimizers in threads of their own do not disturb one another.", REPEATS),
    Check("compiled_rule", basics.compiled_rule, "The compiled rule has the bytes of `update`.", REPEATS),
)
