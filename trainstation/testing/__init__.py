"""For tests of what is built on trainstation, and for our own."""

from __future__ import annotations

from trainstation.testing.distributions import fake_distribution, isolated_plugins
from trainstation.testing.gradients import check_grad
from trainstation.testing.references import check_reference

__all__ = ["check_grad", "check_reference", "fake_distribution", "isolated_plugins"]
