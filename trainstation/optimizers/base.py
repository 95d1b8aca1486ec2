"""Optimizer: what users see and authors inherit."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from trainstation.gradtrack import RemovableHook, enable_grad
from trainstation.optimizers import groups
from trainstation.optimizers.contract import Averaging, LastStep
from trainstation.optimizers.groups import Parameter, gradient_of
from trainstation.optimizers.hooks import StepHook, StepHooks
from trainstation.optimizers.hyper import Group, check_policies
from trainstation.optimizers.state_dicts import StateDicts
from trainstation.optimizers.stepping import codec
from trainstation.optimizers.stepping.decisions import isa_of
from trainstation.optimizers.stepping.source import Source
from trainstation.optimizers.stepping.stepper import Stepper

__all__ = ["LastStep", "Optimizer"]

Closure = Callable[[], Any]

_all: weakref.WeakSet[Optimizer] = weakref.WeakSet()


class Optimizer(StateDicts):
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
        max_grad_norm, on_nonfinite: see `__init__`; they may be changed, and are checked at the next step.
        last_step: what came of the last step; None before the first.

    One optimizer may be shared by threads: steps wait for one another. Different optimizers step in parallel; that
    they share no parameter is the caller's duty.
    """

    last_step: LastStep | None = None

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
        check_policies(max_grad_norm, on_nonfinite)
        self.state_dtype = state_dtype
        self.max_grad_norm = max_grad_norm
        self.on_nonfinite = on_nonfinite
        self.param_groups: list[Group] = []
        self._state = {}
        self._renew()
        if params is not None:
            for group in groups.as_groups(params):
                self.add_param_group(group)

    def _renew(self) -> None:
        """Make what belongs to this process and this object alone: a copy has no hooks, as torch's has none."""
        self._lock = threading.RLock()
        self._hooks = StepHooks()
        self.step_engine = Stepper(Source())
        self.state = self._state
        for group in self.param_groups:
            self.note_parameters(group)
        _all.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_hooks", "_lock", "step_engine")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "_warned" in state:  # of a former version
            state["has_warned"] = state.pop("_warned")
            state["weight_average"] = state.pop("_average", None)
            last = state.pop("_last")
            state["last_step"] = None if last is None else LastStep(last[0], last[1], isa_of(last[2]))
        vars(self).update(state)
        self._renew()

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
        if self._hooks.before or self._hooks.after:
            return self._hooks.call(self, type(self)._step, (self,) if parameters is None else (self, parameters), {})
        return self._step(parameters)

    def _step(self, parameters: Sequence[Parameter] | Closure | None = None) -> Any:
        with self._lock:
            loss = None
            if parameters is not None and callable(parameters):
                with enable_grad():
                    loss = parameters()
                parameters = None
            self.last_step = self.step_engine.step(self, parameters)
            return loss

    def register_step_pre_hook(self, hook: StepHook) -> RemovableHook:
        """Have `hook(optimizer, args, kwargs)` called before each step; `handle.remove()` ends that.

        `args` begin with the optimizer, as torch's do; the hook may return a tuple of other args and kwargs. What it
        raises ends the step before it has begun. Copies and pickles of the optimizer have no hooks.
        """
        return RemovableHook(self._hooks.before, hook)

    def register_step_post_hook(self, hook: StepHook) -> RemovableHook:
        """Have `hook(optimizer, args, kwargs)` called after each step that raised nothing; see the one before it."""
        return RemovableHook(self._hooks.after, hook)

    def take_average(self, average: Averaging) -> None:
        """Have each step go on with an average; what `ts.EMA(optimizer)` does.

        Raises:
            TypeError: the class does more than a step.
            ValueError: there is one already.

        """
        if (type(self).step, type(self)._step) != (Optimizer.step, Optimizer._step):
            msg = f"{type(self).__name__} does more than a step; give its model, and call update() after each step"
            raise TypeError(msg)
        if self.weight_average is not None and not self.weight_average.is_stopped:
            msg = f"{type(self).__name__} has an average already; give its model, and call update() after each step"
            raise ValueError(msg)
        self.weight_average = average

    def zero_grad(self, parameters: Sequence[Parameter] | None = None, *, set_to_none: bool = True) -> None:
        """Clear the gradients of all linked parameters, or of a list of them.

        With `set_to_none` `.grad` reads None (its memory is kept for the next backward); else it is filled with zeros.
        """
        if isinstance(parameters, bool):
            msg = f"zero_grad takes a list of parameters; did you mean zero_grad(set_to_none={parameters})?"
            raise TypeError(msg)
        for parameter in self._linked() if parameters is None else groups.check_linked(self.param_groups, parameters):
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


if hasattr(os, "register_at_fork"):  # POSIX
    os.register_at_fork(after_in_child=_renew_after_fork)
