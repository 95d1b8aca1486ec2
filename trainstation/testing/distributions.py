"""Distributions that are not installed, and a registry of its own to find them in."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from trainstation.registry.discovery import Plugins
from trainstation.registry.lookup import installed_in

__all__ = ["fake_distribution", "isolated_plugins"]


def fake_distribution(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    module: str = "",
    code: str = "",
    points: Mapping[str, str] | None = None,
    metadata: str | None = None,
) -> Path:
    """Write what the installation of a plugin leaves behind: a dist-info folder, and a module beside it.

    Args:
        folder: where; it is made if it is not there.
        name: of the distribution.
        version: of it.
        module: the name of its module, which is written if it has one.
        code: of that module; common indentation is taken away.
        points: names and targets in the entry-point group `trainstation`; by default the module under its own name.
        metadata: the text of METADATA, if it is to be another.

    Returns:
        The dist-info folder.

    """
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    if metadata is None:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    lines = [f"{point} = {target}" for point, target in (points or {module: module}).items()]
    (info / "entry_points.txt").write_text("\n".join(["[trainstation]", *lines, ""]), encoding="utf-8")
    if module:
        (folder / f"{module}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    return info


@contextmanager
def isolated_plugins(*folders: Path) -> Iterator[Plugins]:
    """See only the built-ins and what is installed in these folders, and forget both afterwards.

    What scripts have registered is out of sight meanwhile, too. For one thread: the registry is the process's.
    """
    paths = [str(folder) for folder in folders]
    modules, path = set(sys.modules), list(sys.path)
    sys.path[:0] = paths
    try:
        with installed_in(paths) as plugins:
            yield plugins
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if any(Path(folder) in Path(file).parents for folder in paths):
                del sys.modules[name]
