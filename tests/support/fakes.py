"""Distributions that are not there, and interpreters of their own to find them in."""

import os
import subprocess
import sys
import textwrap

from trainstation.testing import fake_distribution

HOOK = "import trainstation as ts\n@ts.hookimpl\ndef trainstation_optimizers():\n    "
GOOD = """
import trainstation as ts

class {cls}(ts.optimizers.SGD):
    '''{cls}: sgd by another name.'''

@ts.hookimpl
def trainstation_optimizers():
    return [ts.OptimizerSpec("{name}", "{module}:{cls}")]
"""


def distribution(folder, *arguments, **options):
    """Install a distribution that is not there, in the folder `site` of a folder."""
    return fake_distribution(folder / "site", *arguments, **options)


def good(folder, distribution_name, optimizer, module, version="1.0", cls="Fake"):
    """Write a distribution that gives one optimizer."""
    code = GOOD.format(cls=cls, name=optimizer, module=module)
    return distribution(folder, distribution_name, version, module=module, code=code)


def run(folder, *arguments, paths=None, check=True, **environment):
    """Run an interpreter in `folder`; what is installed in `paths` (default: the folder itself) is found."""
    path = os.pathsep.join(str(each / "site") for each in ([folder] if paths is None else paths))
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
