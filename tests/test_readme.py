"""The Python of README and the guides is run, their links lead somewhere, and README is short."""

import pytest
from guides import BLOCK, DOCS, ROOT, anchors, blocks, links, text_of

import trainstation as ts

PAGES = ["README.md", "plugins/README.md", *DOCS]
LONGEST = 150  # lines that README may have


@pytest.fixture(autouse=True)
def forget_what_a_script_registers():
    yield
    for name in ts.list_optimizers(origin="script"):
        ts.unregister_optimizer(name)


@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path, "python")])
def test_every_python_block_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(path, "python"):
        exec(compile(block, path, "exec"), {})


def test_no_block_is_of_a_kind_that_nothing_runs():
    # bash and sh are run by .ci/run (of a release all but the upload, `sh` there), `python torch` in needs_torch;
    # without a word, it is what a command wrote.
    kinds = {path: {kind for kind, _ in BLOCK.findall(text_of(path))} for path in ["README.md", *DOCS]}
    assert kinds.pop("README.md") == {"bash", "sh", "python", "python torch"}
    assert kinds.pop("docs/releasing.md") == {"bash", "sh"}
    assert set().union(*kinds.values()) == {"python", "python torch", ""}


def test_the_training_loop_goes_on_from_its_checkpoint(tmp_path, monkeypatch, capsys):
    (block,) = (block for path in PAGES for block in blocks(path, "python") if "ts.save" in block)
    stopped = block.replace("range(start, 100)", "range(start, 60)")
    assert stopped != block
    told = []
    for folder, runs in (("whole", [block]), ("stopped", [stopped, block])):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        ts.manual_seed(0)
        for each in runs:
            exec(compile(each, "docs", "exec"), {})
        told.append(capsys.readouterr().out.splitlines()[-1])
    assert told[0] == told[1]
    whole, again = ((tmp_path / folder / "run.safetensors").read_bytes() for folder in ("whole", "stopped"))
    assert whole == again


def test_the_readme_has_exactly_two_set_up_commands_each_with_its_own_environment():
    main_job, tests = blocks("README.md", "bash")
    assert main_job.startswith("python3 -m venv ")
    assert main_job.rstrip().endswith("trainstation bench")
    assert tests.startswith("python3 -m venv ")
    assert tests.rstrip().endswith("python -m pytest -n auto --dist loadfile")
    assert "apt install git gcc python3-dev python3-venv" in text_of("README.md")


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", [*PAGES, "CONTRIBUTING.md"])
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(path):
    lost = []
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = ((ROOT / path).parent / name).resolve() if name else ROOT / path
        if not target.exists() or (anchor and anchor not in anchors(target.relative_to(ROOT))):
            lost.append(link)
    assert not lost


def test_the_list_of_pages_has_every_page():
    assert {link.partition("#")[0] for link in links("docs/README.md")} >= {
        path.removeprefix("docs/") for path in DOCS if path != "docs/README.md"
    }
