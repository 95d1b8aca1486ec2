"""What all peers have in common: another library's code over our parameters, with our keywords."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import trainstation as ts
from trainstation.gradtrack import mark_written
from trainstation.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from trainstation_peers import PIP

__all__ = ["AdamPeer", "AdamWPeer", "Peer", "RMSpropPeer", "SGDPeer", "gradient"]

Array = NDArray[Any]


def gradient(parameter: Any) -> Array | None:
    """Return the array of a parameter's gradient, if it has one."""
    grad = parameter.grad
    return grad if grad is None or isinstance(grad, np.ndarray) else np.asarray(grad.data)


class Peer(Optimizer):
    """Another library's optimizer. It subclasses the native one whose mathematics it has, `native`.

    `step()` serves training. What is timed is the bare call that `stepper()` returns, so that no peer is charged with
    this wrapper.

    Attributes:
        native: the optimizer that says, in float64, what this one must compute.
        package: what is imported; its version is the peer's.
        keywords: the hyper-parameters that the library is given; any other of `native` must keep its default.
        own_threads: whether the library chooses its own number of threads.

    """

    native: ClassVar[type[Optimizer]]
    package: ClassVar[str]
    keywords: ClassVar[tuple[str, ...]]
    own_threads: ClassVar[bool] = False
    rule: ClassVar[Any] = None  # the native class's is not what runs

    def __init__(self, params: Iterable[Any] | None, hyper: dict[str, Any]) -> None:
        """Import the library first: ImportError, with the pip line, if it is absent."""
        self.library()
        super().__init__(params, **hyper)  # of the native class, which comes next, by its keywords
        self._bound: list[Any] | None = None

    @classmethod
    def library(cls) -> Any:
        """Return the package; ImportError, with the pip line, if it is absent."""
        try:
            return importlib.import_module(cls.package)
        except ImportError as error:
            msg = f"{cls.package} is absent: {PIP[cls.package]} ({error})"
            raise ImportError(msg, name=cls.package) from error

    @classmethod
    def version(cls) -> str:
        """Return the version of the library."""
        return str(cls.library().__version__)

    def validate(self, hyper: Mapping[str, Any]) -> None:
        """Check the hyper-parameters, and that no keyword is given that the library would not see."""
        super().validate(hyper)
        for name, default in self.defaults.items():
            if name not in self.keywords and hyper[name] != default:
                msg = f"{type(self).__name__} of {self.package} is not compared with {name}={hyper[name]!r}"
                raise ValueError(msg)

    def settings(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyper-parameters of a group, as they are now, by their keywords."""
        self.validate(group)
        return {**{name: group[name] for name in self.keywords}, "lr": group["lr"] * group.get("lr_scale", 1)}

    def stepper(self) -> Callable[[], object]:
        """Return the library's bare call: it steps all parameters along the arrays that are their gradients now.

        It may be called again and again, and those arrays may be written to between two calls. Hyper-parameters are
        those of this moment.

        Raises:
            ValueError: the parameters are not those of the first step.

        """
        linked = [parameter for group in self.param_groups for parameter in group["params"]]
        if self._bound is None:
            self.begin()
            self._bound = linked
        if list(map(id, linked)) != list(map(id, self._bound)):
            msg = "the parameters of a peer are fixed with its first step; clear_states() starts anew"
            raise ValueError(msg)
        return self.bind()

    @abstractmethod
    def begin(self) -> None:
        """Make the library's optimizer over the memory of the parameters."""

    @abstractmethod
    def bind(self) -> Callable[[], object]:
        """Hand it hyper-parameters and gradients, and return its bare call."""

    def finish(self) -> None:
        """Override to bring results back into the parameters where the library has copies, and to let go of arrays."""

    def _step(self, parameters: Any = None) -> Any:
        """Step all parameters that have a gradient; a closure is run first, and its loss returned."""
        with self.hold_steps():
            loss = None
            if callable(parameters):
                with ts.enable_grad():
                    loss = parameters()
            elif parameters is not None:
                msg = "a peer steps all of its parameters, not a list"
                raise TypeError(msg)
            self.stepper()()
            self.finish()
            for parameter in self._bound or ():
                mark_written(parameter)
            return loss

    def clear_states(self) -> None:
        """Forget all state: the next step makes the library's optimizer anew, over what is linked then."""
        self._bound = None

    def state_dict(self) -> dict[str, Any]:
        """Raise NotImplementedError: the state is the library's, and a copy without it would lose it silently."""
        msg = "a peer is there to be compared with; its state cannot be saved"
        raise NotImplementedError(msg)

    def load_state_dict(self, sd: Mapping[str, Any]) -> None:  # noqa: ARG002  # likewise
        """Raise NotImplementedError."""
        self.state_dict()


class AdamPeer(Peer, Adam):
    """A peer of Adam: the L2 penalty is added to the gradient."""

    native = Adam
    keywords = ("lr", "betas", "eps", "weight_decay")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})


class AdamWPeer(Peer, AdamW):
    """A peer of AdamW: the decay is decoupled."""

    native = AdamW
    keywords = AdamPeer.keywords

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})


class SGDPeer(Peer, SGD):
    """A peer of SGD, with or without momentum."""

    native = SGD
    keywords = ("lr", "momentum", "weight_decay")

    def __init__(
        self, params: Iterable[Any] | None = None, lr: float = 1e-3, momentum: float = 0, weight_decay: float = 0
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})


class RMSpropPeer(Peer, RMSprop):
    """A peer of RMSprop, neither centered nor with momentum."""

    native = RMSprop
    keywords = ("lr", "alpha", "eps", "weight_decay")

    def __init__(
        self,
        params: Iterable[Any] | None = None,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
    ) -> None:
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay})
