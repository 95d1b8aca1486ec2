"""Classes of torch optimizers: those with torch's own arguments, and those made of any native class."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import Parameter, Signature, signature
from typing import Any

from trainstation import optimizers
from trainstation.interop.torch.bridge import Bridge
from trainstation.optimizers import Optimizer
from trainstation.registry import get_optimizer

__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "optimizer_class", "remake"]


class Adam(Bridge):
    """Adam; see `trainstation.optimizers.Adam`, and `torch.optim.Adam` for the arguments.

    Parameters are dense, on the CPU, in float32, float64, bfloat16 or float16.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups.
        lr: learning rate; a tensor of one element may be changed in place.
        betas: decay rates of the two moments.
        eps: added to the root; 0 divides by it alone.
        weight_decay: L2 penalty, or with `decoupled_weight_decay` AdamW's.
        amsgrad: divide by the root of the largest second moment so far.
        foreach, capturable, fused: accepted and kept in the groups; there is one implementation.
        maximize: ascend.
        differentiable: True is refused.
        decoupled_weight_decay: step as AdamW, all groups alike.
        master: how bfloat16 and float16 parameters are stepped, always in float32: "float32" keeps a float32 copy of
            them in the state, under "master"; "stochastic" rounds up or down with the probability that keeps the mean,
            the same way for the same step and element; None rounds to the nearest.
        state_dtype, max_grad_norm, on_nonfinite: see `trainstation.optimizers.Optimizer`.

    """

    native = optimizers.Adam

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
        master: str | None = None,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        self._begin(params, locals(), optimizers.AdamW if decoupled_weight_decay else optimizers.Adam)


class AdamW(Adam):
    """AdamW; the arguments are those of `Adam`, `weight_decay` is 0.01 by default."""

    native = optimizers.AdamW

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        betas: tuple[Any, Any] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        master: str | None = None,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        self._begin(params, {**locals(), "decoupled_weight_decay": True})


class SGD(Bridge):
    """Stochastic gradient descent; see `trainstation.optimizers.SGD`, and `Adam` for the arguments it has in common.

    Its state has "step" as well, which torch's own class does not need and does not miss.
    """

    native = optimizers.SGD

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: Any = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
        master: str | None = None,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        self._begin(params, locals())


class RMSprop(Bridge):
    """RMSprop; see `trainstation.optimizers.RMSprop`, and `Adam` for the arguments it has in common.

    Centered, the difference under the root is at least 0; where rounding makes it negative, torch gives NaN.
    """

    native = optimizers.RMSprop

    def __init__(
        self,
        params: Iterable[Any],
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        *,
        master: str | None = None,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        self._begin(params, locals())


_made_of: dict[tuple[type[Optimizer], str], type[Bridge]] = {
    (kind.native, ""): kind for kind in (Adam, AdamW, SGD, RMSprop)
}


def optimizer_class(native: type[Optimizer], name: str = "") -> type[Bridge]:
    """Return the torch optimizer class that steps as a native class does; the same at every call.

    It takes the keywords of the native class, with `params` first and not None, and `master`.

    Args:
        native: the class.
        name: under which it is registered, by which optimizers are pickled.

    """
    key = (native, "" if (native, "") in _made_of else name)
    if key not in _made_of:
        _made_of[key] = _made(native, name)
    return _made_of[key]


def _made(native: type[Optimizer], name: str) -> type[Bridge]:
    told = signature(native)

    def __init__(self: Bridge, params: Iterable[Any], *args: Any, master: str | None = None, **options: Any) -> None:  # noqa: N807
        self._begin(params, {**told.bind(None, *args, **options).arguments, "master": master})

    arguments = [
        each.replace(default=Parameter.empty) if each.name == "params" else each for each in told.parameters.values()
    ]
    arguments.append(Parameter("master", Parameter.KEYWORD_ONLY, default=None))
    members = {
        "__init__": __init__,
        "__signature__": Signature(arguments),
        "__doc__": native.__doc__,
        "__module__": native.__module__,
        "native": native,
        "label": name,
    }
    return type(native.__name__, (Bridge,), members)


def remake(kind: type[Optimizer | Bridge] | str) -> Bridge:
    """Return an optimizer of a registered name or of a class, to which pickle gives its state."""
    if isinstance(kind, str):
        made = optimizer_class(get_optimizer(kind), kind)
    else:
        made = kind if issubclass(kind, Bridge) else optimizer_class(kind)
    return made.__new__(made)
