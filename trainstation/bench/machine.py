"""The machine: its processor, its caches, who else is at work on it, and how many threads we use."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainstation import kernels

__all__ = ["Others", "cache_sizes", "cores", "cpu_model", "huge_pages", "last_level_bytes", "threads"]

CPUS = Path("/sys/devices/system/cpu")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
# In /proc/stat: idle and waiting for a disk, and what the host gave to other machines; what follows is counted twice.
IDLE, STEAL = slice(3, 5), 8
COARSE = 5  # ticks, which is how exactly they are counted


def _text(path: Path) -> str:
    """Return a file of the kernel's, or nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def cpu_model() -> str:
    """Return what the system calls its processor."""
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let our kernels, and every pool of OpenMP and BLAS that is loaded, use so many threads."""
    from threadpoolctl import threadpool_limits  # of the extra `bench`, which asking for `cores` does not need

    before = kernels.get_num_threads()
    kernels.set_num_threads(count)
    try:
        with threadpool_limits(count):
            yield
    finally:
        kernels.set_num_threads(before)


def _caches(cpus: str) -> dict[tuple[str, str], int]:
    """Return the bytes of each data cache of some processors, by its level and by who shares it."""
    sizes = {}
    for folder in sorted(CPUS.glob(f"{cpus}/cache/index*")):
        size = _text(folder / "size")
        if _text(folder / "type") in ("Data", "Unified") and size:
            key = ("L" + _text(folder / "level"), _text(folder / "shared_cpu_list"))
            sizes[key] = int(size.rstrip("KMG")) * UNITS.get(size[-1], 1)
    return sizes


def cache_sizes() -> dict[str, int]:
    """Return the bytes of the first processor's data caches, as {"L1": 32768, ...}; {} where nothing says so."""
    return {level: size for (level, _), size in _caches("cpu0").items()}


def last_level_bytes() -> int:
    """Return the bytes of all caches of the last level together; 0 where nothing says so."""
    found = _caches("cpu[0-9]*")
    last = max((level for level, _ in found), default="")
    return sum(size for (level, _), size in found.items() if level == last)


def huge_pages() -> str:
    """Return who gets transparent huge pages: "always", "madvise" or "never"; nothing where there are none."""
    said = _text(Path("/sys/kernel/mm/transparent_hugepage/enabled"))
    return said.partition("[")[2].partition("]")[0]


class Others:
    """Watches how much of the processors' time goes to others, from when it is made."""

    def __init__(self) -> None:
        self._before = self._read()

    @staticmethod
    def _read() -> tuple[float, float]:
        """Return the ticks of all processors, and those of them that were neither idle nor ours."""
        ticks = [int(word) for word in _text(Path("/proc/stat")).partition("\n")[0].split()[1 : STEAL + 1]]
        ours = time.process_time() * os.sysconf("SC_CLK_TCK")
        return float(sum(ticks)), sum(ticks) - sum(ticks[IDLE]) - ours

    def share(self) -> float:
        """Return the share that other processes and the host took since this was last asked; 0 where nothing says."""
        (total, others), before = self._read(), self._before
        self._before = total, others
        took = others - before[1]
        return took / (total - before[0]) if took > COARSE else 0.0
