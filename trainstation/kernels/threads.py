"""How many threads a step may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

__all__ = ["get_num_threads", "set_num_threads"]

MOST = 256
_threads: int | None = None


def set_num_threads(n: int) -> None:
    """Say how many threads a step may use, 1 <= n <= 256; ValueError otherwise. The bits are the same for any."""
    global _threads  # noqa: PLW0603  # one setting for the process
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
        msg = f"the number of threads is an integer from 1 to {MOST}, not {n!r}"
        raise ValueError(msg)
    _threads = n


def get_num_threads() -> int:
    """Return how many threads a step may use.

    What `set_num_threads` said, else TRAINSTATION_NUM_THREADS, else OMP_NUM_THREADS, else the processors that this
    process may use.
    """
    global _threads  # noqa: PLW0603  # asked once
    if _threads is None:
        _threads = _from_environment() or _processors()
    return _threads


def _from_environment() -> int | None:
    for name in ("TRAINSTATION_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").split(",")[0].strip()  # OpenMP allows a list, for nested regions
        if text.isdecimal() and int(text) >= 1:
            return min(int(text), MOST)
    return None


def _processors() -> int:
    """Count the processors that affinity and control group leave to this process."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(here, _quota(Path("/sys/fs/cgroup")), MOST))


def _quota(cgroup: Path) -> int:
    """Return how many processors' time the control group grants, at least 1."""
    try:
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except OSError:
            return MOST
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:  # "max", or -1: none
        return MOST
    return max(1, math.ceil(int(quota) / int(period)))
