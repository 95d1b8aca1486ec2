"""The base of all optimizers of torch parameters: torch's interface, a native optimizer's steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any, ClassVar

import torch
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from trainstation.interop.torch.state_tensors import as_plain
from trainstation.interop.torch.sync import Sync, name_of
from trainstation.interop.torch.views import MASTERS, check_tensor
from trainstation.optimizers import Optimizer
from trainstation.optimizers.contract import Averaging, LastStep
from trainstation.optimizers.stepping.noted import NotedList

__all__ = ["Bridge"]

# What torch keeps in a group, and the native class does not know.
TORCHS = ("foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay")


class Bridge(Sync, torch.optim.Optimizer):
    """A torch optimizer that steps as a native one does, on the tensors' own memory.

    `state` has torch tensors over the native arrays. Each parameter's "step" is a view of one float32 tensor; t itself
    is kept in 64 bits. Whatever is written to groups or states takes effect at the next step, but for keys of a group
    that are not the optimizer's: "lr_scale" is for schedulers, as with torch's own classes.

    Attributes:
        native: the class whose steps these are.
        label: of a class that is made of a native one, its registered name, or "".

    """

    native: ClassVar[type[Optimizer]]
    label: ClassVar[str]
    _step_supports_amp_scaling = True  # GradScaler hands over its scale and what it found

    def _begin(self, params: Iterable[Any], given: Mapping[str, Any], native: type[Optimizer] | None = None) -> None:
        """Link parameters; what a class's `__init__` ends with.

        Args:
            params: parameters, (name, parameter) pairs, or dicts of groups.
            given: what the class's `__init__` was given: the keywords of the native class; `master`, how bfloat16 and
                float16 parameters are stepped; and any of `TORCHS`.
            native: the class to step as, if not that of this class.

        """
        native = native or self.native
        known = signature(native).parameters
        master = given["master"]
        options = {name: value for name, value in given.items() if name in known and name != "params"}
        extra = {name: given[name] for name in TORCHS if name in given}
        if extra.get("differentiable"):
            msg = "differentiable=True is not supported: autograd does not see what a kernel does"
            raise NotImplementedError(msg)
        if master not in MASTERS:
            msg = f"master is one of {', '.join(map(repr, MASTERS))}, not {master!r}"
            raise ValueError(msg)
        self._given = native, options, master, extra
        self._host()
        own = {name: options.get(name, value) for name, value in self._native.defaults.items()}
        super().__init__(params, {**own, **extra})
        self._ready()

    def _ready(self) -> None:
        self.register_state_dict_post_hook(_with_plain_states)

    @property
    def last_step(self) -> LastStep | None:
        """What came of the last step; None before the first."""
        last: LastStep | None = self._native.last_step
        return last

    # Groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Link a group: "params", and any hyper-parameters that differ from the defaults.

        Raises:
            TypeError: a parameter is on another device than the CPU, sparse, or of another dtype than float32,
                float64, bfloat16 and float16.
            ValueError: a hyper-parameter is out of range, or a parameter has a group already.

        """
        super().add_param_group(param_group)
        try:
            group = self.param_groups[-1]
            for position, tensor in enumerate(group["params"]):
                name = name_of(group, len(self.param_groups) - 1, position)
                check_tensor(tensor, name, self._native.state_dtype)
            self._native.validate(self._settings(group))
        except BaseException:
            del self.param_groups[-1]
            raise
        group["params"] = NotedList(self._shown.touched, group["params"])
        self._known = []

    # Stepping

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient.

        Args:
            closure: computes the loss anew; it is run first, with gradients on, and its loss is returned.

        """
        if torch.compiler.is_compiling():
            return _untraced(self, closure)
        if (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_optimizer_pre_hooks
            or _global_optimizer_post_hooks
            or torch.autograd._profiler_enabled()
        ):
            return _observed(self, closure) if closure is not None else _observed(self)
        return self._step(closure)

    step.hooked = True  # type: ignore[attr-defined]  # or torch would wrap it, at 5 us a step

    def _step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with self._native.hold_steps():
            if self._is_overflown():
                return loss
            self._follow()
            self._native.step()
            if self._native.step_engine.asks_author:
                self._show_groups()
        return loss

    def take_average(self, average: Averaging) -> None:
        """Have each step go on with an average; what `ts.EMA(optimizer)` does. Parameters are float32 or float64."""
        self._native.take_average(average)

    def _is_overflown(self) -> bool:
        """Whether a GradScaler has found an infinity; if not, undo its scale in the gradients, as torch's fused do."""
        found, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        if found is not None and float(found):
            return True
        if scale is not None:
            with torch.no_grad():
                for group in self.param_groups:
                    for tensor in group["params"]:
                        if tensor.grad is not None:
                            tensor.grad.div_(scale)
        return False

    def train(self) -> None:
        """Switch to the weights to train; for optimizers that evaluate at other ones."""
        self._switch(self._native.train)

    def eval(self) -> None:
        """Switch to the weights to evaluate; for optimizers that train at other ones."""
        self._switch(self._native.eval)

    def _switch(self, switch: Callable[[], None]) -> None:
        with self._native.hold_steps():
            self._follow()
            for view in self._views.values():
                view.refresh()
            for view in self._narrow:
                view.load()
            switch()
            self._show_groups()

    # Copies

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a copy of what `state_dict` of this class, or of torch's own class, returned.

        Values are cast to the dtypes in which this optimizer keeps them, not to that of the parameter.

        Raises:
            ValueError: groups or parameters in another number, a state that is missing, or a hyper-parameter out of
                range. The optimizer is as it was.
            ShapeError: a tensor does not fit its parameter.

        """
        former = self.param_groups, self._state
        last: list[dict[str, Any]] = []
        handle = self.register_load_state_dict_pre_hook(lambda _, given: last.append(given))
        try:
            self._loading = last
            super().load_state_dict(state_dict)
        except BaseException:
            self.param_groups, self._state = former
            self._shown.touched.is_set = True
            raise
        finally:
            handle.remove()
            del self._loading

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self)
        # A class that was made here no module has: pickle can only name what it was made of.
        named = (kind.label or kind.native) if "label" in vars(kind) else kind
        return _module_of_classes().remake, (named,), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        self._follow()
        return {
            "defaults": self.defaults,
            "state": {tensor: as_plain(state) for tensor, state in self._state.items() if state},
            "param_groups": [{**group, "params": list(group["params"])} for group in self.param_groups],
            "_given": self._given,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        given = state.pop("state")
        loaded = getattr(self, "_loading", None)
        if loaded:  # torch has cast these to the parameters' dtypes
            numbers = [number for group in loaded[0]["param_groups"] for number in group["params"]]
            tensors = [tensor for group in state["param_groups"] for tensor in group["params"]]
            given = {
                t: dict(loaded[0]["state"][n]) for n, t in zip(numbers, tensors, strict=True) if n in loaded[0]["state"]
            }
        defaults: dict[str, Any] = dict(state.get("defaults") or vars(self)["defaults"])
        super().__setstate__(state)
        self.defaults = defaults  # torch adds one that its own classes have
        for group in self.param_groups:  # of an older version
            for name, value in defaults.items():
                group.setdefault(name, value)
        if "_native" not in vars(self):
            self._host()
            self._ready()
        self.state = given
        self._follow()


def _with_plain_states(optimizer: Bridge, state_dict: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001  # a hook
    """Make a state dict one of plain dicts, lists and tensors, fit to be saved."""
    states = {key: as_plain(state) for key, state in state_dict["state"].items() if state}
    groups = [{**group, "params": list(group["params"])} for group in state_dict["param_groups"]]
    return {**state_dict, "state": states, "param_groups": groups}


def _remake(kind: Any) -> Any:
    """Return an optimizer to which pickle gives its state; pickles of former versions name this one."""
    return _module_of_classes().remake(kind)


def _module_of_classes() -> Any:
    """Return the module that is made of this one and knows the registry: only pickle needs it here."""
    return import_module("trainstation.interop.torch.optimizers")


_observed = torch.optim.Optimizer.profile_hook_step(Bridge._step)
_untraced = torch._disable_dynamo(Bridge.step)
