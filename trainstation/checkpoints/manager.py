"""CheckpointManager: the last checkpoints of a run, and the best, in one folder."""

from __future__ import annotations

import math
import os
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from trainstation.checkpoints.files import read
from trainstation.checkpoints.loading import load
from trainstation.checkpoints.saving import save
from trainstation.errors import CheckpointError

__all__ = ["CheckpointManager"]

NAME = re.compile(r"step-(\d+)(?:-metric-([-+.\w]+))?\.safetensors")


class _Kept(NamedTuple):
    step: int
    metric: float  # NaN: none was given
    path: Path


class CheckpointManager:
    """The last `keep` checkpoints of a run and the best, in one folder, a file each.

    A file is named by its step and its metric: nothing else has to be kept, and a folder may be copied or thinned out
    by hand. Files of other names are left alone.
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 3, *, mode: str = "min") -> None:
        """Make the folder, if there is none.

        Args:
            folder: of the files.
            keep: how many of the last are kept, >= 1; the best is kept beside them.
            mode: "min" if a smaller metric is better, "max" if a larger one.

        """
        if keep < 1:
            msg = f"keep is at least 1, not {keep}"
            raise ValueError(msg)
        if mode not in ("min", "max"):
            msg = f"mode is 'min' or 'max', not {mode!r}"
            raise ValueError(msg)
        self.folder, self.keep, self.mode = Path(folder), keep, mode
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, step: int, *, metric: float | None = None, **what: Any) -> Path:
        """Save under this step, and then delete what is to be kept no longer.

        Args:
            step: >= 0; one that was saved before is replaced.
            metric: how good it is; NaN is never the best.
            what: as `trainstation.save` takes it.

        Raises:
            CheckpointError: it cannot be written; nothing was deleted.

        """
        if step < 0:
            msg = f"a step is at least 0, not {step}"
            raise ValueError(msg)
        number = "" if metric is None else f"-metric-{float(metric)!r}"
        path = self.folder / f"step-{step:09d}{number}.safetensors"
        save(path, **what)
        found = self._found()
        best = self._best(found)
        last = [each.path for each in found if each.step != step or each.path == path][-self.keep :]
        for each in found:
            if each.path not in (path, *last) and (best is None or each.path != best.path or each.step == step):
                each.path.unlink(missing_ok=True)
        return path

    def latest(self) -> Path | None:
        """Return the file of the last step that is whole, with a warning for each that is not; None without any."""
        for each in reversed(self._found()):
            if _is_whole(each.path):
                return each.path
        return None

    def best(self) -> Path | None:
        """Return the file with the best metric that is whole, with a warning for each that is not; None without any."""
        found = self._found()
        while (best := self._best(found)) is not None and not _is_whole(best.path):
            found.remove(best)
        return None if best is None else best.path

    def load(self, **what: Any) -> Any:
        """Load the latest file, as `trainstation.load` does; CheckpointError if there is none."""
        path = self.latest()
        if path is None:
            msg = f"there is no checkpoint in {self.folder}"
            raise CheckpointError(msg)
        return load(path, **what)

    def _found(self) -> list[_Kept]:
        """Return all files, by step."""
        found = []
        for path in self.folder.iterdir():
            name = NAME.fullmatch(path.name)
            if name:
                try:
                    found.append(_Kept(int(name[1]), float(name[2] or "nan"), path))
                except ValueError:  # a name that only looks like ours
                    continue
        return sorted(found, key=lambda each: (each.step, each.path.name))

    def _best(self, found: list[_Kept]) -> _Kept | None:
        """Return the best; of equals, the last."""
        sign = -1 if self.mode == "max" else 1
        rated = [each for each in found if not math.isnan(each.metric)]
        return min(rated, key=lambda each: (sign * each.metric, -each.step), default=None)


def _is_whole(path: Path) -> bool:
    try:
        read(path)
    except CheckpointError as error:
        warnings.warn(f"skipped: {error}", UserWarning, stacklevel=3)
        return False
    return True
