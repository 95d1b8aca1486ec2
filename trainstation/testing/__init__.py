"""For tests of what is built on trainstation, and for our own."""

from __future__ import annotations

from trainstation.testing.catalogue import CHECKS, Check
from trainstation.testing.distributions import fake_distribution, isolated_plugins
from trainstation.testing.gradients import check_grad
from trainstation.testing.kit import check_optimizer, parametrize_with_checks
from trainstation.testing.references import check_reference
from trainstation.testing.verdicts import CheckError, Result

__all__ = [
    "CHECKS",
    "Check",
    "CheckError",
    "Result",
    "check_grad",
    "check_optimizer",
    "check_reference",
    "fake_distribution",
    "isolated_plugins",
    "parametrize_with_checks",
]
