"""The Python of README and the guides for users of torch is run."""

import pytest
import torch
from guides import DOCS, blocks

BLOCKS = [(path, block) for path in ["README.md", *DOCS] for block in blocks(path, "python torch")]


def test_there_are_blocks_in_the_readme_and_in_the_guide():
    assert {path for path, _ in BLOCKS} >= {"README.md", "docs/pytorch.md"}


@pytest.mark.parametrize(("path", "block"), BLOCKS, ids=[f"{path}-{i}" for i, (path, _) in enumerate(BLOCKS)])
def test_every_block_for_torch_runs(path, block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(block, path, "exec"), names)
    assert ("torch.save" in block) == bool(list(tmp_path.glob("*.pt")))
    for saved in tmp_path.glob("*.pt"):
        theirs = torch.optim.AdamW(names["model"].parameters())
        theirs.load_state_dict(torch.load(saved))
        assert int(theirs.state[names["model"][0].weight]["step"]) == 100
