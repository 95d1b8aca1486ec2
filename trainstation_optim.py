"""The command `trainstation`, which looks whether the package of that name is ours before it imports it.

PyPI's trainstation is another project, whose wheel has a `trainstation/__init__.py` too. Where both are installed, the
later one has overwritten that file; and whichever is uninstalled takes it away.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
import warnings
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

__all__ = ["REMEDY", "main"]

INIT = "trainstation/__init__.py"
REMEDY = (
    "PyPI's trainstation is another project, which cannot share an environment with trainstation-optim; to have this "
    "one alone: pip uninstall trainstation; pip install --force-reinstall trainstation-optim (or, in place of that "
    "last name, the clone or the wheel that you installed)"
)


def main() -> None:
    """Run the command; exit with 2 if the package that it would import is not ours, or not whole."""
    try:
        _run()
    except KeyboardInterrupt:  # before the command itself, which says it its own way, has begun
        sys.stderr.write("Interrupted.\n")
        raise SystemExit(130) from None


def _run() -> None:
    wrong = _what_is_wrong()
    if wrong:
        sys.stderr.write(f"Error: {wrong}: {REMEDY}\n")
        raise SystemExit(2)
    with warnings.catch_warnings(record=True) as caught:
        from trainstation.cli import main as command
    for each in caught:  # without their places in our source, which tell a user nothing
        sys.stderr.write(f"{each.category.__name__}: {each.message}\n")
    command()


def _what_is_wrong() -> str:
    """Say what is wrong with the package that would be imported, or nothing."""
    folder, recorded = _recorded()
    spec = find_spec("trainstation")
    if spec is None or spec.origin is None:  # what may be left is a folder
        return f"there is no {folder / INIT}"
    found = Path(spec.origin).resolve()
    if INIT in recorded and found == (folder / INIT).resolve():
        if not _is_as_recorded(found, recorded[INIT]):
            return f"{found} is not ours"
        missing = [name for name in recorded if not (folder / name).exists()]
        return f"there is no {folder / missing[0]}" if missing else ""
    # In a clone, or in another folder where Python looks first.
    return "" if (found.parent / "registry").is_dir() else f"{found} is not ours"


def _recorded() -> tuple[Path, dict[str, str]]:
    """Return the folder that we are installed in, and the hash of each file of the package that was put there."""
    try:
        ours = distribution("trainstation-optim")
    except PackageNotFoundError:
        return Path(), {}
    rows = [row for row in csv.reader((ours.read_text("RECORD") or "").splitlines()) if row]
    hashes = {row[0]: row[1] for row in rows if row[0].startswith("trainstation/") and not row[0].endswith(".pyc")}
    return Path(str(ours.locate_file(""))), hashes


def _is_as_recorded(path: Path, known: str) -> bool:
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=")
    return known in ("", f"sha256={digest.decode()}")
