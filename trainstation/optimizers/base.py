"""Optimizer: links parameters, checks everything, counts, and runs the compiled rule or the author's `update`."""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from numpy.typing import NDArray

from trainstation import kernels
from trainstation.gradtrack import enable_grad
from trainstation.optimizers import groups
from trainstation.optimizers.groups import Parameter, gradient_of
from trainstation.optimizers.hooks import Handle, StepHook, StepHooks
from trainstation.optimizers.hyper import Group, require
from trainstation.optimizers.links import Links
from trainstation.optimizers.stepping import codec
from trainstation.optimizers.stepping.stepper import Stepper

if TYPE_CHECKING:
    from trainstation.optimizers.ema import Average

__all__ = ["LastStep", "Optimizer"]

Array = NDArray[Any]
Closure = Callable[[], Any]

_all: weakref.WeakSet[Optimizer] = weakref.WeakSet()
ON_NONFINITE = ("ignore", "raise", "skip")


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


class Optimizer(Links, ABC):
    """The base of all optimizers.

    An author writes `scalars` and `update`, names the `states`, and passes the hyper-parameters to `__init__`:

        class Lion(Optimizer):
            states = ("exp_avg",)

            def __init__(self, params=None, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
                super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

            def scalars(self, hyper, t): ...
            def update(self, p, g, state, scalars): ...

    Attributes:
        states: names of the zero-initialised arrays of a parameter's shape and dtype, in the C rule's order.
        optional_states: names of those that only some hyper-parameters ask for, through `variant`.
        rule: the compiled rule that equals `update` bit for bit, if there is one.
        param_groups: dicts with "params" and their hyper-parameters; a change takes effect at the next step.
        state: for each parameter that has been stepped, its "step" (t, a 0-d int64 array) and its arrays.
        defaults: the hyper-parameters of a group that does not name its own.

    One optimizer may be shared by threads: steps wait for one another. Different optimizers step in parallel; that
    they share no parameter is the caller's duty.
    """

    states: ClassVar[tuple[str, ...]] = ()
    optional_states: ClassVar[tuple[str, ...]] = ()
    rule: ClassVar[str | None] = None
    _average: Average | None = None  # of its weights, which each step goes on with

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class with another `update` has another meaning: it does not inherit the compiled rule."""
        super().__init_subclass__(**kwargs)
        if "update" in vars(cls) and "rule" not in vars(cls):
            cls.rule = None

    def __init__(
        self,
        params: Iterable[Any] | None,
        defaults: dict[str, Any],
        *,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        """Link `params` (None: link later).

        Args:
            params: a module, parameters, (name, parameter) pairs, or dicts of groups.
            defaults: the hyper-parameters, with their values for groups that do not name their own.
            state_dtype: how states are kept: None as the parameters are; for float32 parameters also "float32",
                "bfloat16" or "8bit".
            max_grad_norm: scale the gradients of a step so that their norm, over all of them, is at most this.
            on_nonfinite: where a gradient has a NaN or an infinity: "ignore" it, "raise" or "skip" the step, which
                both leave everything as it was.

        Raises:
            TypeError: something is not a parameter, or a group has an unknown key.
            ValueError: a hyper-parameter is out of range, a parameter appears twice, or the list is empty.

        """
        self.defaults = {"maximize": False, **defaults}
        self.validate(self.defaults)
        if state_dtype not in codec.STATE_DTYPES:
            msg = f"state_dtype is one of {', '.join(map(repr, codec.STATE_DTYPES))}, not {state_dtype!r}"
            raise ValueError(msg)
        if on_nonfinite not in ON_NONFINITE:
            msg = f"on_nonfinite is one of {', '.join(map(repr, ON_NONFINITE))}, not {on_nonfinite!r}"
            raise ValueError(msg)
        require(max_grad_norm is None or max_grad_norm > 0, "max_grad_norm value", max_grad_norm)
        self.state_dtype = state_dtype
        self.max_grad_norm = max_grad_norm
        self.on_nonfinite = on_nonfinite
        self.param_groups: list[Group] = []
        self._state = {}
        self._warned = False
        self._last: tuple[float | None, bool, int | None] | None = None
        self._renew()
        if params is not None:
            for group in groups.as_groups(params):
                self.add_param_group(group)

    def _renew(self) -> None:
        """Make what belongs to this process and this object alone: a copy has no hooks, as torch's has none."""
        self._lock = threading.RLock()
        self._hooks = StepHooks()
        self._stepper = Stepper()
        self.state = self._state
        for group in self.param_groups:
            self._note(group)
        _all.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_hooks", "_lock", "_stepper")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._renew()

    @property
    def last_step(self) -> LastStep | None:
        """What came of the last step; None before the first."""
        if self._last is None:
            return None
        norm, skipped, isa = self._last
        return LastStep(norm, skipped, "numpy" if isa is None else kernels.isa_name(isa))

    # What an author writes

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

    @classmethod
    def _keeps_own_states(cls) -> bool:
        return cls.init_state is not Optimizer.init_state

    def prepare(self, active: Sequence[Parameter]) -> None:
        """Override for what is known only over all parameters of a step; called once before the updates."""

    def _prepares(self) -> bool:
        return getattr(self.prepare, "__func__", None) is not Optimizer.prepare

    def train(self) -> None:
        """Switch to the weights to train; for optimizers that evaluate at other ones."""

    def eval(self) -> None:
        """Switch to the weights to evaluate; for optimizers that train at other ones."""

    # Stepping

    def step(self, parameters: Sequence[Parameter] | Closure | None = None) -> Any:
        """Update parameters from their gradients.

        Args:
            parameters: None for all linked parameters that have a gradient; a list for exactly these; or a function
                that computes the loss anew, runs with gradients on, and whose result is returned.

        Raises:
            UnlinkedParameterError, MissingGradientError: for a parameter of the list.
            ShapeError: a gradient or a state has another shape than its parameter.
            TypeError: a gradient has another dtype than its parameter.
            ValueError: a hyper-parameter is out of range, an array is read-only, or two lie in the same bytes.
            KernelError: an author's class and its compiled rule do not fit together.

        Whatever is raised is raised before anything moves, but for an error out of an author's `update`.

        """
        if self._hooks:
            return self._hooks.call(self, type(self)._step, (self,) if parameters is None else (self, parameters), {})
        return self._step(parameters)

    def _step(self, parameters: Sequence[Parameter] | Closure | None = None) -> Any:
        with self._lock:
            loss = None
            if parameters is not None and callable(parameters):
                with enable_grad():
                    loss = parameters()
                parameters = None
            self._stepper.step(self, parameters)
            return loss

    def register_step_pre_hook(self, hook: StepHook) -> Handle:
        """Have `hook(optimizer, args, kwargs)` called before each step; `handle.remove()` ends that.

        `args` begin with the optimizer, as torch's do; the hook may return a tuple of other args and kwargs. What it
        raises ends the step before it has begun. Copies and pickles of the optimizer have no hooks.
        """
        return Handle(self._hooks.before, hook)

    def register_step_post_hook(self, hook: StepHook) -> Handle:
        """Have `hook(optimizer, args, kwargs)` called after each step that raised nothing; see the one before it."""
        return Handle(self._hooks.after, hook)

    def zero_grad(self, parameters: Sequence[Parameter] | None = None, *, set_to_none: bool = True) -> None:
        """Clear the gradients of all linked parameters, or of a list of them.

        With `set_to_none` `.grad` reads None (its memory is kept for the next backward); else it is filled with zeros.
        """
        if isinstance(parameters, bool):
            msg = f"zero_grad takes a list of parameters; did you mean zero_grad(set_to_none={parameters})?"
            raise TypeError(msg)
        for parameter in self._linked() if parameters is None else self._check_linked(parameters):
            if set_to_none:
                parameter.grad = None  # type: ignore[misc]  # a parameter's grad can be cleared
            elif (gradient := gradient_of(parameter)) is not None:
                gradient[...] = 0

    def __repr__(self) -> str:
        lines = [type(self).__name__ + " ("]
        for index, group in enumerate(self.param_groups):
            values = ", ".join(f"{name}={group[name]!r}" for name in sorted(set(group) - {"params", "param_names"}))
            lines.append(f"  group {index}: {len(group['params'])} parameters, {values}")
        return "\n".join([*lines, ")"])


def _renew_after_fork() -> None:
    """Give every optimizer of a forked child a lock that no vanished thread holds."""
    for optimizer in list(_all):
        optimizer._lock = threading.RLock()
        optimizer._stepper.busy[0] = False


if hasattr(os, "register_at_fork"):  # POSIX
    os.register_at_fork(after_in_child=_renew_after_fork)
