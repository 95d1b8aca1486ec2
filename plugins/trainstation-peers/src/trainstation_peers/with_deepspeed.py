"""DeepSpeed's CPU Adam, on the memory of our parameters. Its C++ is compiled when it is first made."""

from __future__ import annotations

import functools
from typing import Any

from trainstation_peers.peer import AdamPeer, AdamWPeer, Peer
from trainstation_peers.with_torch import TorchPeer

__all__ = ["Adam", "AdamW", "DeepSpeedPeer"]


class DeepSpeedPeer(TorchPeer, Peer):
    """DeepSpeedCPUAdam, which is a torch optimizer to its users."""

    package = "deepspeed"

    def make(self, groups: list[dict[str, Any]]) -> Any:
        """Return the DeepSpeed optimizer of these groups; TypeError for what is not float32, which its kernel reads."""
        import cpuinfo
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        # It is asked for the vendor whenever one is made, and takes a second for the same answer each time.
        if not hasattr(cpuinfo.get_cpu_info, "cache_info"):
            cpuinfo.get_cpu_info = functools.cache(cpuinfo.get_cpu_info)
        if any(str(tensor.dtype) != "torch.float32" for group in groups for tensor in group["params"]):
            msg = "DeepSpeedCPUAdam is compared in float32 only"
            raise TypeError(msg)
        return DeepSpeedCPUAdam(groups, adamw_mode=issubclass(type(self), AdamWPeer))


class Adam(DeepSpeedPeer, AdamPeer):
    """DeepSpeedCPUAdam with adamw_mode=False."""


class AdamW(DeepSpeedPeer, AdamWPeer):
    """DeepSpeedCPUAdam with adamw_mode=True."""
