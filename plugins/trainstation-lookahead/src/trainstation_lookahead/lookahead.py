"""Lookahead: an optimizer around the rule of another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.create import create_optimizer
from trainstation.errors import ShapeError
from trainstation.kernels import copy_beside
from trainstation.optimizers import Optimizer
from trainstation.optimizers.actions import Action, move_towards, put
from trainstation.optimizers.contract import FollowUp
from trainstation.optimizers.groups import Parameter, require

__all__ = ["Lookahead"]

Array = NDArray[Any]

# An optimizer that has one of these of its own is more than a rule.
WHOLE = ("step", "prepare", "follow_up", "train", "eval", "state_dict", "load_state_dict")


class Lookahead(Optimizer):
    r"""Lookahead: after every k-th step, weights go a share of the way from where the last k steps began.

    For each element, with t the number of this step of the parameter, counted from 1, and s (slow_params) = p before
    the first one:

        p = the base's step
        s = s + alpha * (p - s)                     (if t is a multiple of k)
        p = s                                       (likewise)

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate of the base.
        base: the name or the class of the optimizer whose steps these are. One that steps its parameters together, or
            trains and evaluates at different weights, is no such optimizer.
        k: how many steps of the base make one of the slow weights.
        alpha: how far that goes, in [0, 1].
        base_options: further arguments of the base. A group has its hyper-parameters by their own names, but
            "base_alpha" and "base_k" where it has such ones too.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; slow weights are always as the parameters are.

    Paper: Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, 2019 (arXiv:1907.08610).
    """

    base: Optimizer

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        base: str | type[Optimizer] = "adam",
        k: int = 5,
        alpha: float = 0.5,
        *,
        base_options: Mapping[str, Any] | None = None,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        self.base = inner = _make(base, lr, base_options or {})
        self.optional_states = inner.optional_states  # type: ignore[misc]  # those of this base
        self._renamed: dict[str, str] = {name: f"base_{name}" for name in ("k", "alpha") if name in inner.defaults}
        theirs = {self._renamed.get(name, name): value for name, value in inner.defaults.items()}
        super().__init__(
            params,
            {**theirs, "k": k, "alpha": alpha, "maximize": maximize or inner.defaults["maximize"]},
            state_dtype=inner.state_dtype if state_dtype is None else state_dtype,
            max_grad_norm=inner.max_grad_norm if max_grad_norm is None else max_grad_norm,
            on_nonfinite=inner.on_nonfinite if on_nonfinite == "ignore" else on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters, the base's and ours; what is common to all is the base's to check."""
        self.base.validate(self._theirs(hyper))
        k, alpha = hyper["k"], hyper["alpha"]
        require(isinstance(k, Integral) and int(k) >= 1, "k value", k)
        require(0 <= alpha <= 1, "alpha value", alpha)

    def _theirs(self, hyper: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return hyper-parameters as the base names them."""
        if not self._renamed:
            return hyper
        return {**hyper, **{name: hyper[ours] for name, ours in self._renamed.items()}}

    # What is the base's: its rule, compiled or not, and its states

    def variant(self, hyper: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
        """Return the base's compiled rule, and its states in that rule's order."""
        return self.base.variant(self._theirs(hyper))

    def state_kinds(self, hyper: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the base's."""
        return self.base.state_kinds(self._theirs(hyper))

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return the base's."""
        return self.base.scalars(self._theirs(hyper), t)

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter as the base does."""
        self.base.update(p, g, state, scalars)

    def keeps_own_states(self) -> bool:
        """Return the base's: slow weights are beside what `update` gets."""
        return self.base.keeps_own_states()

    # What is ours: the slow weights

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Begin with the slow weights where the parameter is."""
        slow = {"slow_params": copy_beside(p.data, p.data), "slow_step": np.zeros((), np.int64)}
        return {**self.base.init_state(p), **slow}

    def follow_up(self, hyper: Mapping[str, Any], t: int) -> FollowUp | None:
        """Move the slow weights of those that make their k-th step, and the parameters to them."""
        if t % hyper["k"]:
            return None
        alpha = hyper["alpha"]

        def look_ahead(name: str, p: Array, state: Mapping[str, Any]) -> list[Action]:
            slow = state["slow_params"]
            if p.shape != slow.shape or p.dtype != slow.dtype:
                msg = f"{name}: its slow_params has shape {slow.shape} and dtype {slow.dtype}"
                raise ShapeError(msg)
            return [*move_towards(slow, p, alpha), put(p, slow), put(state["slow_step"], t)]

        return look_ahead


def _make(base: str | type[Optimizer], lr: float, options: Mapping[str, Any]) -> Optimizer:
    """Return an optimizer without parameters, whose rule is to be ours; TypeError if it is more than a rule."""
    if not isinstance(base, str) and not (isinstance(base, type) and issubclass(base, Optimizer)):
        msg = f"base is the name or the class of an optimizer, with base_options={{...}}, not {base!r}"
        raise TypeError(msg)
    make: Callable[..., Optimizer] = partial(create_optimizer, base) if isinstance(base, str) else base
    made = make(None, lr=lr, **options)
    for name in WHOLE:
        if getattr(type(made), name) is not getattr(Optimizer, name):
            msg = f"Lookahead wraps a rule; {type(made).__name__} is more: it has {name}() of its own"
            raise TypeError(msg)
    return made
