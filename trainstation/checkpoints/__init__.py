"""Checkpoints: one file that the safetensors package opens, and that is always the old one or the new one."""

from trainstation.checkpoints.loading import load
from trainstation.checkpoints.manager import CheckpointManager
from trainstation.checkpoints.saving import save

__all__ = ["CheckpointManager", "load", "save"]
