import json
import lzma
import re
import shlex
from base64 import b64decode
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pages import HOSTILE, every_kind

from trainstation.bench.palette import look_of
from trainstation.bench.records import rows
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.report import page
from trainstation.bench.report.curves import curve
from trainstation.cli import main

SECTIONS = (
    "verdict environment leaderboard curves profiles heat sensitivity expected diagnostics speed shares landscapes "
    "results configurations failures rows"
)


class Parsed(HTMLParser):
    """All start tags with their attributes, and the text of each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in {*self._open}:
            self.texts.setdefault(tag, []).append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def values(self, attribute):
        return [attrs[attribute] for _, attrs in self.tags if attribute in attrs]


def written(ledger, folder, name="report.html"):
    page.write(ledger, folder / name, command="trainstation report")
    return (folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ledger():
    return every_kind()


@pytest.fixture(scope="module")
def text(ledger, tmp_path_factory):
    return written(ledger, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def parsed(text):
    return Parsed(text)


def test_every_section_is_there_and_in_the_contents(parsed):
    assert [attrs["id"] for attrs in parsed.all("section")] == SECTIONS.split()
    assert {f"#{name}" for name in SECTIONS.split()} <= set(parsed.values("href"))
    assert "There are no" not in "".join(parsed.texts["p"])


def test_nothing_refers_to_anything_outside(text, parsed):
    assert not parsed.values("src") + parsed.values("srcset") + parsed.all("link") + parsed.all("base")
    assert all(link.startswith(("#", "data:")) for link in parsed.values("href"))
    assert set(re.findall(r"url\((.)", text)) == {"#"}
    assert not re.search("https?://|@import", text)
    policy = parsed.all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'")
    assert not [name for name in {key for _, attrs in parsed.tags for key in attrs} if name.startswith("on")]


def test_each_id_is_one_and_each_reference_has_one(text, parsed):
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    used = {link[1:] for link in parsed.values("href") if link.startswith("#")} | set(
        re.findall(r"url\(#([^)]+)\)", text)
    )
    assert used | set(parsed.values("aria-labelledby")) <= set(ids)


def test_a_screen_reader_gets_words_for_every_figure_and_table(parsed):
    figures = [attrs for attrs in parsed.all("svg") if "aria-hidden" not in attrs]
    assert len(figures) == len(parsed.all("figure")) > 10
    assert all(attrs["role"] == "img" and len(attrs["aria-label"]) > 30 for attrs in figures)
    assert len(parsed.all("caption")) == len(parsed.all("table"))
    assert {attrs["scope"] for attrs in parsed.all("th")} == {"col", "row"}


def test_an_optimizer_has_one_look_everywhere(text, parsed):
    boxes = {attrs["id"].removeprefix("show-") for attrs in parsed.all("input")}
    assert set(parsed.values("data-o")) <= boxes
    keys = re.findall(r'data-o="(\w+)"><title>([^<]+)</title>', text)
    assert {name for _, name in keys} == {"adam", "adamw", "sgd", "rmsprop", "peer"}
    assert len({name for _, name in keys}) == len({key for key, _ in keys}) == len(set(keys))
    for key in boxes:  # a group has its own colour, and that of no other
        colours = set(re.findall(rf'data-o="{key}">(?:(?!data-o).)*?stroke:(var\(--c\d\))', text))
        assert len(colours) == 1


def test_strangers_words_are_text(ledger, tmp_path):
    trial = ledger.trials[0]
    bad = replace(trial, optimizer=HOSTILE, version=HOSTILE, status="error", reason=HOSTILE, points=trial.points)
    speed = replace(ledger.speeds[0], peer=HOSTILE + "$x^$", case=HOSTILE)
    path = replace(ledger.paths[0], optimizer=HOSTILE)
    env = replace(ledger.envs[0], cpu_model=HOSTILE)
    some = replace(ledger, trials=[*ledger.trials, bad], speeds=[speed], paths=[path], envs=[env])
    found = Parsed(written(some, tmp_path))
    assert len(found.all("script")) == 1
    assert not found.all("img")
    for tag in ("td", "th", "title", "label", "dd"):
        assert HOSTILE in "".join(found.texts[tag])


def test_the_rows_are_in_the_page(ledger, parsed, tmp_path):
    [(name, uri)] = [(attrs["download"], attrs["href"]) for attrs in parsed.all("a") if "download" in attrs]
    (tmp_path / name).write_bytes(b64decode(uri.partition(",")[2]))
    again = Ledger.read(tmp_path)
    for kind in ("envs", "runs", "trials", "speeds", "diagnostics", "paths"):
        assert list(map(rows.to_json, getattr(again, kind))) == list(map(rows.to_json, getattr(ledger, kind)))
    assert [len(trial.points) for trial in again.trials] == [len(trial.points) for trial in ledger.trials]
    lines = lzma.decompress((tmp_path / name).read_bytes()).decode().splitlines()
    assert {json.loads(line)["schema"] for line in lines} == {rows.SCHEMA}


def test_the_same_rows_make_the_same_page(ledger, text, tmp_path):
    assert written(ledger, tmp_path) == text


def test_commands_are_such_as_there_are(parsed, ledger):
    found = [text for text in parsed.texts["code"] if text.startswith("trainstation ")]
    assert len(found) > len({(trial.problem, trial.optimizer, trial.track) for trial in ledger.trials}) / 2
    whole = main.make_context("trainstation", [found[0].split()[1]])  # click keeps the -h of the command asked first
    for _, name, *arguments in map(shlex.split, found):
        assert main.commands[name].make_context(name, arguments, parent=whole).params
    tuned = [text for text in found if "--track tuned" in text]
    assert tuned
    assert all("--trials 4" in text for text in tuned)
    assert sum("--seeds 3" in text for text in tuned) == len(tuned) - 1  # the failed one is of a fourth


@pytest.mark.parametrize(
    ("kinds", "there", "not_there"),
    [
        ((), "verdict", "curves"),
        (("speeds",), "speed", "leaderboard"),
        (("trials",), "curves", ""),
        (("diagnostics",), "diagnostics", "leaderboard"),
        (("paths",), "landscapes", "results"),
    ],
)
def test_what_has_no_rows_says_which_command_makes_them(ledger, tmp_path, kinds, there, not_there):
    found = Parsed(written(Ledger(**{kind: getattr(ledger, kind) for kind in kinds}), tmp_path))
    names = {attrs["id"] for attrs in found.all("section")}
    assert there in names
    assert not_there not in names
    assert "trainstation bench" in " ".join(found.texts["code"])


def test_trials_without_a_target_are_shown_and_not_scored(ledger, tmp_path):
    some = [replace(trial, target=None, steps_to_target=None, secs_to_target=None) for trial in ledger.trials]
    found = Parsed(written(Ledger(trials=some), tmp_path))
    assert "nothing to score" in "".join(found.texts["li"])
    assert "curve-default-0" in "".join(found.values("id"))


def test_a_page_that_cannot_be_written_leaves_nothing_behind(ledger, tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        page.write(Ledger(), tmp_path / "report.html", command="")
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_a_seed_that_has_blown_up_counts_as_worse_than_all(ledger):
    def trial(*values, lower=True):
        points = [rows.Point("", "", "", 0, 10 * place, 0.0, None, value, 0.1) for place, value in enumerate(values)]
        return replace(ledger.trials[0], points=points, lower_is_better=lower)

    found = curve([trial(9, 2, 1), trial(8, 3, 2), trial(7, None)])
    assert found.steps.tolist() == [0, 10, 20]
    assert found.middle.tolist() == [8, 3, 2]
    assert found.high.tolist()[1:] == [np.inf, np.inf]
    assert curve([trial(9, 2, 1), trial(7), trial(7)]).steps.tolist() == [0]
    assert curve([trial(1, 2, 3, lower=False), trial(1, None, None, lower=False)]).steps.tolist() == [0]


def test_the_package_brings_what_the_page_is_made_of():
    folder = Path(page.__file__).parent
    assert {"page.html", "page.css", "page.js"} <= {path.name for path in folder.iterdir()}


def test_what_reaches_nothing_and_controls_are_apart(ledger, tmp_path):
    misses = {"steps_to_target": None, "secs_to_target": None}
    some = [replace(trial, **misses) if trial.optimizer == "sgd" else trial for trial in ledger.trials]
    some += [replace(trial, optimizer="control_idle") for trial in ledger.trials if trial.optimizer == "adam"]
    text = written(replace(ledger, trials=some), tmp_path)
    folded = re.findall(r'<details class="folded"><summary>([^<]+)</summary>', text)
    assert "No target reached: sgd" in folded
    assert "Controls, which are wrong on purpose: control_idle" in folded
    board = text[text.index('id="leaderboard"') : text.index('id="curves"')]
    first = board[: board.index("<details")]
    assert "adamw" in first
    assert "control_idle" not in first
    assert ">sgd<" not in first
    assert "control_idle" not in "".join(Parsed(text).texts["li"])


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF-")])
def test_each_figure_is_a_file_too(ledger, text, tmp_path, kind, start):
    made = page.save_figures(ledger, tmp_path / "figures", kind)
    assert len(made) == len(set(made)) == len(Parsed(text).all("figure"))
    assert sorted((tmp_path / "figures").iterdir()) == sorted(made)
    for path in made:
        assert path.read_bytes().startswith(start)
    if kind == "svg":
        curves = next(path for path in made if path.name.startswith("curve-tuned-0")).read_text(encoding="utf-8")
        assert "#0101" not in curves  # what stands for the page's colours
        assert look_of("adamw").line["color"].lower() in curves
        assert len(re.findall(">(adam|adamw|sgd|rmsprop)<", curves)) == 4  # its legend


def test_the_same_rows_make_the_same_figures(ledger, tmp_path):
    one, two = (page.save_figures(ledger, tmp_path / name, "svg") for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_figures_of_the_command_go_where_it_says(ledger, tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(f"{rows.to_json(row)}\n" for row in ledger.paths), encoding="utf-8")
    (tmp_path / "trial.jsonl").write_text(f"{rows.to_json(ledger.trials[0])}\n", encoding="utf-8")
    words = ["report", "--out", str(tmp_path), "--figures", str(tmp_path / "some" / "figures"), "--format", "pdf"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0, found.output
    made = list((tmp_path / "some" / "figures").glob("*.pdf"))
    assert made
    assert f"{len(made)} figure" in found.stdout
    (tmp_path / "file").write_text("")
    words[4] = str(tmp_path / "file" / "figures")
    failed = CliRunner().invoke(main, words)
    assert failed.exit_code == 2
    assert "Error: cannot write" in failed.stderr
