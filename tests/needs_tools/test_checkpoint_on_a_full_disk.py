"""A save onto a disk that is full, for which a small file system is mounted, seen by one process alone."""

import os
import subprocess
import sys

SCRIPT = """
set -e
mount -t tmpfs -o size=1m none "$1"
cd "$1"
exec "$2" - <<'PYTHON'
import os

import numpy as np
import trainstation as ts

for size in (1000, 100_000, 200_000):  # 0.8 MB and the old file do not fit together
    ts.save("run", extra="old")
    try:
        ts.save("run", extra=np.zeros(size))
    except ts.CheckpointError as error:
        print(size, error)
        assert ts.load("run") == "old"
    else:
        assert ts.load("run").size == size
    assert os.listdir() == ["run"], os.listdir()
PYTHON
"""


def test_a_full_disk_leaves_the_old_file(tmp_path):
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *user, "sh", "-c", SCRIPT, "sh", tmp_path, sys.executable],
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith("200000 cannot write run: [Errno 28] No space left on device"), line
    assert line.endswith("what was there is as it was")
