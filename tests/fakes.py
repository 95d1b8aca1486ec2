"""Distributions that are not there, and interpreters of their own to find them in."""

import os
import subprocess
import sys
import textwrap

HOOK = "import trainstation as ts\n@ts.hookimpl\ndef trainstation_optimizers():\n    "
GOOD = """
import trainstation as ts

class {cls}(ts.optimizers.SGD):
    '''{cls}: sgd by another name.'''

@ts.hookimpl
def trainstation_optimizers():
    return [ts.OptimizerSpec("{name}", "{module}:{cls}")]
"""


def distribution(folder, name, version="1.0", points=None, *, module="", code="", metadata=None):
    """Write a dist-info folder, and a module beside it; one entry point, to that module, unless `points` says more."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" if metadata is None else metadata
    (info / "METADATA").write_text(text)
    lines = [f"{point} = {target}" for point, target in (points or {module: module}).items()]
    (info / "entry_points.txt").write_text("\n".join(["[trainstation]", *lines, ""]))
    if module:
        (folder / f"{module}.py").write_text(textwrap.dedent(code))
    return info


def good(folder, distribution_name, optimizer, module, version="1.0", cls="Fake"):
    """Write a distribution that gives one optimizer."""
    code = GOOD.format(cls=cls, name=optimizer, module=module)
    return distribution(folder, distribution_name, version, module=module, code=code)


def run(folder, *arguments, paths=None, check=True, **environment):
    """Run an interpreter in `folder`, with `paths` (default: the folder itself) on its path."""
    path = os.pathsep.join(str(each) for each in ([folder] if paths is None else paths))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=check,
    )


def python(folder, code, *flags, **options):
    """Run code in an interpreter of its own."""
    return run(folder, *flags, "-c", textwrap.dedent(code), **options)


def command(folder, *arguments, **options):
    """Run the command line in an interpreter of its own, whatever its exit code."""
    return run(folder, "-m", "trainstation", *arguments, check=False, **options)
