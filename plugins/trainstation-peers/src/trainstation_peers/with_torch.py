"""PyTorch's optimizers, on the memory of our parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from trainstation_peers.peer import AdamPeer, AdamWPeer, Peer, RMSpropPeer, SGDPeer, gradient

__all__ = [
    "SGD",
    "Adam",
    "AdamForeach",
    "AdamFused",
    "AdamW",
    "AdamWForeach",
    "AdamWFused",
    "RMSprop",
    "RMSpropForeach",
    "SGDForeach",
    "SGDFused",
    "TorchPeer",
]


class TorchPeer(Peer):
    """An optimizer of the package torch; `flags` say which of its implementations."""

    package = "torch"
    flags: ClassVar[dict[str, bool]] = {"foreach": False, "fused": False}

    def make(self, groups: list[dict[str, Any]]) -> Any:
        """Return the torch optimizer of these groups."""
        import torch

        return getattr(torch.optim, self.native.__name__)(groups, **self.flags)

    def begin(self) -> None:
        """Make the torch optimizer, over tensors that share memory with the parameters."""
        import torch

        self._inner = self.make(
            [
                {"params": [torch.from_numpy(p.data) for p in group["params"]], **self.settings(group)}
                for group in self.param_groups
            ]
        )

    def bind(self) -> Callable[[], object]:
        """Return torch's `step`."""
        import torch

        for group, inner in zip(self.param_groups, self._inner.param_groups, strict=True):
            inner.update(self.settings(group))
            for parameter, tensor in zip(group["params"], inner["params"], strict=True):
                array = gradient(parameter)
                tensor.grad = None if array is None else torch.from_numpy(array)
        step: Callable[[], object] = self._inner.step
        return step

    def finish(self) -> None:
        """Let go of the gradients: backward reuses a buffer that only its tensor holds."""
        self._inner.zero_grad()


class Adam(TorchPeer, AdamPeer):
    """torch.optim.Adam as it is by default on a CPU: a loop over tensors, several passes over each."""


class AdamForeach(Adam):
    """torch.optim.Adam with foreach=True."""

    flags: ClassVar[dict[str, bool]] = {"foreach": True}


class AdamFused(Adam):
    """torch.optim.Adam with fused=True: one pass over each tensor, compiled."""

    flags: ClassVar[dict[str, bool]] = {"fused": True}


class AdamW(TorchPeer, AdamWPeer):
    """torch.optim.AdamW as it is by default on a CPU."""


class AdamWForeach(AdamW):
    """torch.optim.AdamW with foreach=True."""

    flags = AdamForeach.flags


class AdamWFused(AdamW):
    """torch.optim.AdamW with fused=True."""

    flags = AdamFused.flags


class SGD(TorchPeer, SGDPeer):
    """torch.optim.SGD as it is by default on a CPU."""


class SGDForeach(SGD):
    """torch.optim.SGD with foreach=True."""

    flags = AdamForeach.flags


class SGDFused(SGD):
    """torch.optim.SGD with fused=True."""

    flags = AdamFused.flags


class RMSprop(TorchPeer, RMSpropPeer):
    """torch.optim.RMSprop as it is by default on a CPU."""

    flags: ClassVar[dict[str, bool]] = {"foreach": False}


class RMSpropForeach(RMSprop):
    """torch.optim.RMSprop with foreach=True."""

    flags = AdamForeach.flags
