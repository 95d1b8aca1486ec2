"""Real signals in the middle of steps, in a process of its own; tests/support/signalled.py says what is checked."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "support" / "signalled.py"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="not applicable: this system has no timers")
@pytest.mark.parametrize(
    ("steps", "seed"), [(600, 1), pytest.param(40_000, 2, marks=pytest.mark.exhaustive)], ids=["few", "many"]
)
def test_steps_are_whole_whenever_a_signal_comes(steps: int, seed: int) -> None:
    command = [sys.executable, str(PROGRAM), str(steps), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr
    print(done.stdout.splitlines()[-1])
