"""What is installed, as far as it may be looked at. The only user of importlib.metadata."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainstation.registry.names import CORE, FORMER, project

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

__all__ = ["Installed", "installed", "named_in", "search_path"]


def named_in(variable: str) -> frozenset[str] | None:
    """Read a comma-separated list of distributions from the environment; None if it is not there."""
    text = os.environ.get(variable)
    return None if text is None else frozenset(project(name.strip()) for name in text.split(",") if name.strip())


def search_path() -> list[str]:
    """Return where distributions are looked for: not where Python was started, and not beside the started script.

    Whatever lies there was perhaps only unpacked; what was installed does not lie there, unless that is site-packages.
    """
    import site
    import sysconfig

    real = os.path.realpath
    paths = sysconfig.get_paths()
    meant = {
        real(each) for each in (*site.getsitepackages(), site.getusersitepackages(), paths["purelib"], paths["platlib"])
    }
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    chance = {real(Path(main).parent)} if main else set()
    with suppress(OSError):  # it was deleted
        chance.add(real(Path.cwd()))
    return [each for each in sys.path if each and (real(each) in meant or real(each) not in chance)]


@dataclass(frozen=True, slots=True)
class Installed:
    """A distribution, as its metadata name it."""

    name: str
    version: str
    metadata: Distribution

    def points(self, group: str) -> list[EntryPoint]:
        """Return its entry points of a group; what is raised is the fault of its metadata."""
        return [point for point in self.metadata.entry_points if point.group == group]


def installed(paths: Sequence[str]) -> Iterator[Installed]:
    """Yield each installed distribution but our own once: the one that Python would import.

    One of our former name is another project, or a former version of ours: it has no plugin either.
    """
    from importlib.metadata import distributions

    seen = {CORE, FORMER}
    for distribution in distributions(path=list(paths)):
        try:
            text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
            head = text.partition("\n\n")[0]  # its fields; to have all of them parsed would take most of the time
            name, version = (re.search(rf"(?im)^{field}: *(.+?) *$", head) for field in ("name", "version"))
        except Exception:  # noqa: BLE001, S112  # the remains of an installation
            continue
        if name and project(name[1]) not in seen:
            seen.add(project(name[1]))
            yield Installed(name[1], version[1] if version else "", distribution)
