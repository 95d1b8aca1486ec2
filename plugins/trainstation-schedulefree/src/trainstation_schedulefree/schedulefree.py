"""Schedule-free AdamW and SGD, and the switch between their two kinds of weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainstation.errors import ShapeError
from trainstation.kernels import copy_beside, power
from trainstation.optimizers import Optimizer
from trainstation.optimizers.actions import move_towards
from trainstation.optimizers.elementwise import flush, l2
from trainstation.optimizers.groups import Parameter, describe, require

__all__ = ["AdamWScheduleFree", "SGDScheduleFree", "ScheduleFree"]

Array = NDArray[Any]


class ScheduleFree(Optimizer):
    """What both have in common: z, the average, and the switch. The group's "train_mode" says what its weights are."""

    @abstractmethod
    def beta(self, hyper: Mapping[str, Any]) -> float:
        """Return how near the weights to train, y = beta * x + (1 - beta) * z, are to the average x."""

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; without any share of x in y, x could not be got back from it."""
        super().validate(hyper)
        require(isfinite(hyper["r"]), "r value", hyper["r"])
        for name in ("warmup_steps", "weight_lr_power"):
            require(0 <= hyper[name] < inf, f"{name} value", hyper[name])

    def init_state(self, p: Parameter) -> dict[str, Any]:
        """Begin with z where the parameter is; the weights of the average are numbers in double."""
        z = copy_beside(p.data, p.data)
        return {**super().init_state(p), "z": z, "weight_sum": np.zeros(()), "lr_max": np.zeros(())}

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return weight_decay, beta, the rate after warm-up, t, r, weight_lr_power."""
        lr = hyper["lr"] * min(1.0, t / hyper["warmup_steps"]) if hyper["warmup_steps"] else hyper["lr"]
        return hyper["weight_decay"], self.beta(hyper), lr, t, hyper["r"], hyper["weight_lr_power"]

    def _move(self, y: Array, d: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Go along d, and renew the average: what AdamW and SGD have in common."""
        beta, lr, t, r, weight_lr_power = map(float, scalars)
        lr_max = max(lr, float(state["lr_max"]))
        weight = t**r * lr_max**weight_lr_power
        weight_sum = float(state["weight_sum"]) + weight
        c = weight / weight_sum if weight_sum else 0.0
        state["lr_max"][...], state["weight_sum"][...] = lr_max, weight_sum
        z = state["z"]
        y += c * (z - y)
        y += (lr * (beta * (1 - c) - 1)) * d
        z -= lr * d

    def prepare(self, active: Sequence[Parameter]) -> None:  # noqa: ARG002  # the mode is that of groups
        """Refuse a step along the gradients of the averaged weights."""
        if not all(group["train_mode"] for group in self.param_groups):
            msg = "step() in eval mode: the parameters are the averaged weights; call train() before the forward pass"
            raise RuntimeError(msg)

    def train(self) -> None:
        """Make the parameters the weights to train, y; nothing changes if they are."""
        self._switch(train=True)

    def eval(self) -> None:
        """Make the parameters the averaged weights, x; nothing changes if they are."""
        self._switch(train=False)

    def _switch(self, *, train: bool) -> None:
        """Check all parameters, then move them, and note what they are."""
        with self.hold_steps():
            moves = []
            for index, group in enumerate(self.param_groups):
                if group["train_mode"] == train:
                    continue
                self.validate(group)
                beta = self.beta(group)
                for position, parameter in enumerate(group["params"]):
                    if parameter in self.state:
                        _check(describe(group, index, position), parameter.data, self.state[parameter]["z"])
                        moves.append((parameter, 1 - beta if train else 1 - 1 / beta))
            room = np.empty(max((parameter.data.nbytes for parameter, _ in moves), default=0), np.uint8)
            actions = []
            for parameter, weight in moves:
                p = parameter.data
                difference = np.ndarray(p.shape, p.dtype, room)  # one room for all, which follow one another
                actions += move_towards(p, self.state[parameter]["z"], weight, difference)
            with np.errstate(all="ignore"):
                settings = [(each, {"train_mode": train}) for each in (self.defaults, *self.param_groups)]
                self.commit(actions, [parameter for parameter, _ in moves], settings)

    def load_state_dict(self, sd: Mapping[str, Any]) -> None:
        """Take over a copy of what `state_dict` returned, and its mode; the parameters are to be those of that mode."""
        with self.hold_steps():
            super().load_state_dict(sd)
            self.defaults["train_mode"] = all(group["train_mode"] for group in self.param_groups)


def _check(name: str, p: Array, z: Array) -> None:
    """Raise an error that names the parameter unless it can be moved towards z."""
    if p.shape != z.shape or p.dtype != z.dtype:
        msg = f"{name}: its z has shape {z.shape} and dtype {z.dtype}"
        raise ShapeError(msg)
    if not p.flags.writeable:
        msg = f"{name}: its data is read-only"
        raise ValueError(msg)


class AdamWScheduleFree(ScheduleFree):
    r"""Schedule-free AdamW: steps of Adam on z, gradients at y, between z and the average x; no schedule is needed.

    For each element, with t the number of this step of the parameter, counted from 1, and p the weights to train, y:

        lr = lr * min(1, t / warmup_steps)          (if warmup_steps is not 0)
        w = t^r * lr_max^weight_lr_power            (lr_max: the largest lr so far)
        c = w / weight_sum                          (weight_sum: of all w so far; 0 / 0 is 0)
        v = flush(beta2 * v + ((1 - beta2) * g) * g)        (exp_avg_sq; flush: subnormals become 0)
        d = g / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay * p
        p = p + c * (z - p)
        p = p + lr * (beta1 * (1 - c) - 1) * d
        z = z - lr * d

    z begins as p. `eval()` sets p to x = p + (1 - 1 / beta1) * (z - p), `train()` to y = p + (1 - beta1) * (z - p).

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate; constant, it is larger than with a schedule.
        betas: the share of x in y, in (0, 1), to be changed in eval mode only; and the decay rate of the second moment.
        eps: added to the root, outside of it; > 0.
        weight_decay: decoupled, taken at y.
        warmup_steps: in how many steps the rate grows to `lr`.
        r: power of t in the weights of the average.
        weight_lr_power: power of the largest rate so far in them; >= 0.
        maximize: ascend.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; the state is always as the parameters are.

    Paper: Defazio et al., The Road Less Scheduled, 2024 (arXiv:2405.15682).
    """

    states = ("z", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 0.0025,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "warmup_steps": warmup_steps,
                "r": r,
                "weight_lr_power": weight_lr_power,
                "maximize": maximize,
                "train_mode": True,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; the first beta is not 0."""
        super().validate(hyper)
        require(self.beta(hyper) > 0, "beta parameter at index 0", self.beta(hyper))

    def beta(self, hyper: Mapping[str, Any]) -> float:
        """Return beta1."""
        return float(hyper["betas"][0])

    def scalars(self, hyper: Mapping[str, Any], t: int) -> Sequence[float]:
        """Return those of all, then beta2, 1-beta2, 1-beta2^t, eps."""
        beta2 = hyper["betas"][1]
        return *super().scalars(hyper, t), beta2, 1 - beta2, 1 - power(beta2, t), hyper["eps"]

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, *common, beta2, one_minus_beta2, correction, eps = scalars
        v = state["exp_avg_sq"]
        v[...] = flush(beta2 * v + (one_minus_beta2 * g) * g)
        d = g / (np.sqrt(v / correction) + eps)
        self._move(p, l2(p, d, weight_decay), state, common)


class SGDScheduleFree(ScheduleFree):
    r"""Schedule-free SGD: steps of SGD on z, gradients at y, between z and the average x; no schedule is needed.

    The equations are those of `AdamWScheduleFree` with momentum in the place of beta1, and

        d = g + weight_decay * p

    Args:
        params: parameters, (name, parameter) pairs, or dicts of groups; None to link them later.
        lr: learning rate; constant, it is larger than with a schedule.
        momentum: the share of x in y, in (0, 1), to be changed in eval mode only.
        weight_decay: L2 penalty, taken at y.
        warmup_steps: in how many steps the rate grows to `lr`.
        r: power of t in the weights of the average.
        weight_lr_power: power of the largest rate so far in them; >= 0.
        maximize: ascend; the gradient is negated before the penalty is added.
        state_dtype, max_grad_norm, on_nonfinite: see `Optimizer`; the state is always as the parameters are.

    Paper: Defazio et al., The Road Less Scheduled, 2024 (arXiv:2405.15682).
    """

    states = ("z",)

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
        state_dtype: str | None = None,
        max_grad_norm: float | None = None,
        on_nonfinite: str = "ignore",
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
                "warmup_steps": warmup_steps,
                "r": r,
                "weight_lr_power": weight_lr_power,
                "maximize": maximize,
                "train_mode": True,
            },
            state_dtype=state_dtype,
            max_grad_norm=max_grad_norm,
            on_nonfinite=on_nonfinite,
        )

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters; the momentum is between 0 and 1."""
        super().validate(hyper)
        require(0 < self.beta(hyper) < 1, "momentum value", self.beta(hyper))

    def beta(self, hyper: Mapping[str, Any]) -> float:
        """Return the momentum."""
        return float(hyper["momentum"])

    def update(self, p: Array, g: Array, state: dict[str, Any], scalars: Sequence[Any]) -> None:
        """Step one parameter: the equations of the class, in their order."""
        weight_decay, *common = scalars
        self._move(p, l2(p, g, weight_decay), state, common)
