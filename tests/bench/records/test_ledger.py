import lzma

import pytest
from toys import trial_of

from trainstation.bench.records import rows
from trainstation.bench.records.ledger import Ledger
from trainstation.bench.stats import Interval

ROWS = [
    rows.Run("bench-1", {"seeds": 2}, finished=False),
    rows.Diagnostic("env", "plateau", "adam", "trainstation-optim", "1", "default", "", 0.1, 0.5, 1.0),
    rows.Path("env", "beale", "adam", 0.1, [0.0, 1.0], [2.0, 3.0], 0.5),
    rows.Speed("speed-1", "env", "step", "adam", "done", samples_ns=[1.0, 2.0], speedup=Interval(1.0, 2.0, 3.0)),
]


def write(path, *more):
    trial, points, _ = trial_of("adam")
    env = rows.environment()
    path.write_text("".join(rows.to_json(row) + "\n" for row in [env, *points, trial, *ROWS, *more]), encoding="utf-8")
    return env, trial, points


def test_rows_come_back_as_they_were_written(tmp_path):
    env, trial, points = write(tmp_path / "a.jsonl")
    ledger = Ledger.read(tmp_path)
    assert ledger.envs == [env]
    [found] = ledger.trials
    assert found.points == points
    assert {**vars(found), "hparams": None} == {**vars(trial), "hparams": None}
    assert found.hparams == {**trial.hparams, "betas": list(trial.hparams["betas"])}
    assert [*ledger.runs, *ledger.diagnostics, *ledger.paths, *ledger.speeds] == ROWS
    assert ledger.speeds[0].speedup.mid == 2


def test_files_of_a_folder_are_read_in_order_and_compressed_ones_too(tmp_path):
    first, _, _ = write(tmp_path / "a.jsonl")
    second, _, _ = write(tmp_path / "b.jsonl")
    with lzma.open(tmp_path / "b.jsonl.xz", "wb") as file:
        file.write((tmp_path / "b.jsonl").read_bytes())
    (tmp_path / "b.jsonl").unlink()
    (tmp_path / "c.txt").write_text("no rows", encoding="utf-8")
    ledger = Ledger.read(tmp_path)
    assert ledger.envs == [first, second]
    assert [len(trial.points) for trial in ledger.trials] == [3, 3]
    assert len(Ledger.read(tmp_path / "a.jsonl", tmp_path).trials) == 3


def test_what_a_kill_has_left_is_not_read(tmp_path):
    path = tmp_path / "a.jsonl"
    _, trial, points = write(path)
    whole = path.read_text(encoding="utf-8")
    for cut in range(0, len(whole), 37):
        path.write_text(whole[:cut], encoding="utf-8")
        for found in Ledger.read(path).trials:  # a trial comes after its points, and whole or not at all
            assert (found.run_id, found.points) == (trial.run_id, points)


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "3", "{}"),
        '{"schema": "tsb/2", "kind": "env"}',
        '{"schema": "tsb/1", "kind": "x"}',
        '{"schema": "tsb/1", "kind": "point", "step": 3}',
    ],
)
def test_what_is_no_row_is_named_with_its_place(tmp_path, line):
    path = tmp_path / "a.jsonl"
    write(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    number = len(path.read_text(encoding="utf-8").splitlines())
    with pytest.raises(ValueError, match=rf"a\.jsonl, line {number} is no row: "):
        Ledger.read(path)


def test_rows_that_name_our_former_distribution_count_as_todays(tmp_path):
    of_lion = rows.Diagnostic("env", "plateau", "lion", "trainstation-lion", "1", "default", "", 0.1, 0.5, 1.0)
    _, trial, _ = write(tmp_path / "a.jsonl", of_lion)
    text = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    former = text.replace('"distribution": "trainstation-optim"', '"distribution": "trainstation"')
    assert former != text
    (tmp_path / "a.jsonl").write_text(former, encoding="utf-8")
    ledger = Ledger.read(tmp_path)
    assert [each.distribution for each in ledger.trials] == [trial.distribution] == ["trainstation-optim"]
    assert [each.distribution for each in ledger.diagnostics] == ["trainstation-optim", "trainstation-lion"]


def test_fields_of_a_later_version_are_left_out(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(rows.to_json(ROWS[0])[:-1] + ', "later": 3}\n', encoding="utf-8")
    assert Ledger.read(path).runs == [ROWS[0]]
