"""The contract of an optimizer: what an author writes, and what a step reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from inspect import signature
from typing import Any, ClassVar, NamedTuple, Protocol

from numpy.typing import NDArray

from trainstation import kernels
from trainstation.optimizers.actions import Action
from trainstation.optimizers.groups import Group, Parameter
from trainstation.optimizers.hyper import check_hyper

__all__ = ["Averaging", "Contract", "FollowUp", "LastStep"]

Array = NDArray[Any]
# Of a parameter, from its name, its values and its state, what else its step does.
FollowUp = Callable[[str, Array, Mapping[str, Any]], Sequence[Action]]


class LastStep(NamedTuple):
    """What came of a step.

    Attributes:
        grad_norm: of all its gradients, before they were clipped; None unless max_grad_norm or on_nonfinite asked.
        skipped: whether on_nonfinite="skip" left everything as it was.
        isa: the instruction set of its compiled rows; "numpy" if it had none.

    """

    grad_norm: float | None
    skipped: bool
    isa: str


class Averaging(Protocol):
    """An average of weights that each step of an optimizer goes on with, until it is stopped.

    Attributes:
        is_stopped: whether it was.
        count: how many averages were taken, a 0-d int64 array, which a step advances.

    """

    is_stopped: bool
    count: Array

    def begin(self) -> float:
        """Return the weight of the values in the next average; RuntimeError where there can be none."""

    def parameters(self) -> list[Any]:
        """Return all that is averaged."""

    def average_of(self, parameter: Any) -> Array:
        """Return the average of a parameter."""

    def moves(self, parameter: Any, weight: float) -> list[Action]:
        """Return what averages a parameter."""


class Contract(ABC):
    """What a step needs of an optimizer; `Optimizer` says what users see of it.

    Attributes:
        base: of a wrapper, the optimizer whose rule and states it has; None.
        weight_average: which each step goes on with; None.
        has_warned: whether it was said already that there is no gradient.

    """

    states: ClassVar[tuple[str, ...]] = ()
    optional_states: ClassVar[tuple[str, ...]] = ()
    rule: ClassVar[str | None] = None
    base: Any = None
    weight_average: Averaging | None = None
    has_warned: bool = False

    param_groups: list[Group]
    state: dict[Any, dict[str, Any]]
    defaults: dict[str, Any]
    state_dtype: str | None
    max_grad_norm: float | None
    on_nonfinite: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class with another `update` has another meaning: it does not inherit the compiled rule."""
        super().__init_subclass__(**kwargs)
        if "update" in vars(cls) and "rule" not in vars(cls):
            cls.rule = None

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters of a group, before each step; override to check more."""
        check_hyper(hyper)
        kind: Any = type(self)
        count = _betas_of(kind) if "betas" in hyper else 0
        if count and len(hyper["betas"]) != count:
            msg = f"betas are {count} numbers, not {hyper['betas']!r}"
            raise ValueError(msg)

    @abstractmethod
    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return what the rule needs beside arrays, from a group's hyper-parameters and the step t >= 1."""

    @abstractmethod
    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter in place, in NumPy: the meaning of the optimizer.

        Args:
            p: the values, written in place.
            g: the gradient, read-only, of the same shape and dtype.
            state: the arrays of this parameter, written in place.
            scalars: what `scalars` returned, each rounded once to the dtype of `p`.

        """

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:  # noqa: ARG002  # for overrides
        """Return the compiled rule and the states for these hyper-parameters; override where they depend on them."""
        return self.rule, self.states

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:  # noqa: ARG002  # for overrides
        """Return how `state_dtype` may keep a state: "signed", or "positive" for one that is never below zero.

        Override to name those that bear the noise of rounding; what is not named keeps the parameter's dtype.
        """
        return {}

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Return the first state of a parameter; override for arrays of another shape or kind."""
        return {name: kernels.zeros_beside(p.data, p.data.shape, p.data.dtype) for name in self.states}

    def keeps_own_states(self) -> bool:
        """Whether `init_state` is the author's: then `update` gets all that a state holds. Wrappers ask their base."""
        return type(self).init_state is not Contract.init_state

    def prepare(self, active: Sequence[Parameter]) -> None:  # noqa: B027  # authors may override it
        """Override for what is known only over all parameters of a step; called once before the updates."""

    def overrides_prepare(self) -> bool:
        """Whether `prepare` is overridden: then no step may begin before all is known to be unchanged."""
        return getattr(self.prepare, "__func__", None) is not Contract.prepare

    def follow_up(self, hyper: Mapping[str, Any], t: int) -> FollowUp | None:  # noqa: ARG002  # for overrides
        """Override for what belongs to a step and comes after the rule: called once for each distinct group and t.

        The function that it returns is called for each parameter before the step, and may refuse it; the actions that
        this one returns are carried out with the step, on the new values.
        """
        return None

    def overrides_follow_up(self) -> bool:
        """Whether `follow_up` is overridden."""
        return getattr(self.follow_up, "__func__", None) is not Contract.follow_up

    def agree(self, squares: float, is_finite: bool) -> tuple[float, bool]:
        """Return the sum of the squares of all gradients, and whether all are finite: what a step is decided by.

        Override where there are gradients elsewhere; these are those of this process.
        """
        return squares, is_finite

    def is_alone(self) -> bool:
        """Whether `agree` is not overridden."""
        return getattr(self.agree, "__func__", None) is Contract.agree

    def train(self) -> None:  # noqa: B027  # likewise
        """Switch to the weights to train; for optimizers that evaluate at other ones."""

    def eval(self) -> None:  # noqa: B027  # likewise
        """Switch to the weights to evaluate; for optimizers that train at other ones."""


@cache
def _betas_of(kind: type) -> int:
    """Return how many betas an optimizer has by default; 0 if it has no default."""
    betas = signature(kind).parameters.get("betas")
    return len(betas.default) if betas and isinstance(betas.default, tuple) else 0
