"""The README's Python for users of torch is run."""

import re
from pathlib import Path

import pytest
import torch

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```python torch\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_there_are_blocks():
    assert len(BLOCKS) >= 2


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_for_torch_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    for path in tmp_path.glob("*.pt"):
        theirs = torch.optim.AdamW(names["model"].parameters())
        theirs.load_state_dict(torch.load(path))
        assert int(theirs.state[names["model"][0].weight]["step"]) == 100
