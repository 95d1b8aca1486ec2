"""Nothing is lost: whatever befalls a file, a load or a save, there is an error and all is as it was."""

import hashlib
import json
import os
import pickle
import resource
import shutil
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import trainstation as ts
from trainstation.checkpoints import files
from trainstation.checkpoints.layout import BEGIN, DIGEST_AT


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.safetensors"


def small(seed=0):
    ts.manual_seed(seed)
    model = ts.nn.Linear(1, 1)
    return model, ts.create_optimizer("sgd", model.parameters(), momentum=0.9)


def refused(path, model, optimizer, message=None):
    before = [p.data.tobytes() for p in model.parameters()], repr(optimizer.state_dict()), ts.random.get_state()
    with pytest.raises(ts.CheckpointError, match=message):
        ts.load(path, model=model, optimizer=optimizer)
    assert before == (
        [p.data.tobytes() for p in model.parameters()],
        repr(optimizer.state_dict()),
        ts.random.get_state(),
    )


def stepped():
    model, optimizer = small()
    model(ts.Tensor.ones([1, 1])).sum().backward()
    optimizer.step()
    return model, optimizer


def test_a_file_cut_off_anywhere_is_refused(path):
    model, optimizer = stepped()
    ts.save(path, model=model, optimizer=optimizer)
    whole = path.read_bytes()
    model, optimizer = small(1)
    for length in range(len(whole)):
        os.truncate(path, 0)
        path.write_bytes(whole[:length])
        refused(path, model, optimizer)
    path.write_bytes(whole + b"\0")
    refused(path, model, optimizer, "damaged")
    path.write_bytes(whole)
    ts.load(path, model=model, optimizer=optimizer)


def test_a_byte_that_is_flipped_is_noticed_wherever_it_is(path):
    model, optimizer = stepped()
    ts.save(path, model=model, optimizer=optimizer)
    whole = bytearray(path.read_bytes())
    model, optimizer = small(1)
    for at in range(len(whole)):
        whole[at] ^= 1 << at % 8
        path.write_bytes(whole)
        refused(path, model, optimizer)
        whole[at] ^= 1 << at % 8


def forge(path, header, data=b"", *, length=None):
    """Write a file whose hash is right, whatever else it says."""
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    whole = bytearray(struct.pack("<Q", len(text) if length is None else length) + text + data)
    whole[DIGEST_AT : DIGEST_AT + 64] = b"0" * 64
    whole[DIGEST_AT : DIGEST_AT + 64] = hashlib.sha256(whole).hexdigest().encode()
    path.write_bytes(whole)


def opened(path):
    """Return header and data of a file."""
    whole = path.read_bytes()
    (length,) = struct.unpack("<Q", whole[:8])
    return json.loads(whole[8 : 8 + length]), whole[8 + length :]


NAMES = ["model/weight", "model/bias"]
FORGED = {
    "overlapping": lambda h: h["model/bias"].update(data_offsets=h["model/weight"]["data_offsets"]),
    "a hole": lambda h: h.pop("model/bias"),
    "beyond the end": lambda h: h["model/bias"].update(data_offsets=[1 << 40, (1 << 40) + 4]),
    "negative": lambda h: h["model/bias"].update(data_offsets=[-4, 0]),
    "backwards": lambda h: h["model/bias"]["data_offsets"].reverse(),
    "not counts": lambda h: h["model/bias"].update(data_offsets=[0.0, 4.0]),
    "bools": lambda h: h["model/bias"].update(shape=[True]),
    "huge shape": lambda h: h["model/bias"].update(shape=[1 << 62, 1 << 62]),
    "empty huge shape": lambda h: h["model/bias"].update(shape=[1] * 99),
    "another shape": lambda h: h["model/bias"].update(shape=[1, 1]),
    "unknown dtype": lambda h: h["model/bias"].update(dtype="F31"),
    "a dtype that is a list": lambda h: h["model/bias"].update(dtype=[]),
    "another dtype": lambda h: h["model/bias"].update(dtype="I32"),
    "no dtype": lambda h: h["model/bias"].pop("dtype"),
    "more than that": lambda h: h["model/bias"].update(more=1),
    "no entry": lambda h: h.update({"model/bias": 3}),
    "metadata of others": lambda h: h["__metadata__"].pop("trainstation"),
    "metadata no strings": lambda h: h["__metadata__"].update(other=3),
    "no document": lambda h: h["__metadata__"].update(trainstation="[]"),
}
DOCUMENTS = {
    "a later format": lambda d: d.update(format=2),
    "NaN step": lambda d: d["optimizer"]["state"]["weight"].update(step={"$float": "nan"}),
    "half a step": lambda d: d["optimizer"]["state"]["weight"].update(step=1.5),
    "a step backwards": lambda d: d["optimizer"]["state"]["weight"].update(step=-1),
    "a step too far": lambda d: d["optimizer"]["state"]["weight"].update(step=1 << 70),
    "no step": lambda d: d["optimizer"]["state"]["weight"].pop("step"),
    "no array": lambda d: d["optimizer"]["state"]["weight"].update(momentum_buffer={"$array": "no"}),
    "no buffer": lambda d: d["optimizer"]["state"]["weight"].update(momentum_buffer=3),
    "a tag": lambda d: d.update(extra={"$pickle": "x"}),
    "a tag of two": lambda d: d.update(extra={"$array": "model/bias", "$tuple": []}),
    "keys that are lists": lambda d: d.update(extra={"$dict": [[[], 1]]}),
    "no pairs": lambda d: d.update(extra={"$dict": [1]}),
    "deep": lambda d: d.update(extra=json.loads("[" * 900 + "]" * 900)),
    "no random state": lambda d: d.update(random={"bit_generator": "MT"}),
    "no groups": lambda d: d["optimizer"].update(groups=[]),
    "groups of nothing": lambda d: d["optimizer"].update(groups=None),
    "a rate below zero": lambda d: d["optimizer"]["groups"][0]["settings"].update(lr=-1.0),
    "a setting of another optimizer": lambda d: d["optimizer"]["groups"][0]["settings"].update(betas=[0.9, 0.999]),
    "parameters of nothing": lambda d: d["optimizer"].update(parameters=None),
    "no model": lambda d: d.update(model=["weight", "bias", "more"]),
    "a model of numbers": lambda d: d.update(model=3),
    "an optimizer that is none": lambda d: d.update(optimizer=[]),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_header_that_says_what_cannot_be_is_refused(path, what):
    model, optimizer = stepped()
    ts.save(path, model=model, optimizer=optimizer)
    header, data = opened(path)
    forge(path, header, data)
    ts.load(path, model=model, optimizer=optimizer)  # what forge does itself is right
    FORGED[what](header)
    forge(path, header, data)
    refused(path, *small(1), "run.safetensors")


def test_a_hole_between_arrays_is_refused(path):
    ts.save(path, extra=[np.ones(1), np.ones(2)])
    header, data = opened(path)
    (last,) = (entry for entry in header.values() if entry.get("data_offsets", [0])[0])
    last["data_offsets"] = [at + 8 for at in last["data_offsets"]]
    forge(path, header, data[:8] + bytes(8) + data[8:])
    with pytest.raises(ts.CheckpointError, match="overlap others, or leave a hole"):
        ts.load(path)


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_that_says_what_cannot_be_is_refused(path, what):
    model, optimizer = stepped()
    ts.save(path, model=model, optimizer=optimizer)
    header, data = opened(path)
    document = json.loads(header["__metadata__"]["trainstation"])
    DOCUMENTS[what](document)
    header["__metadata__"]["trainstation"] = json.dumps(document)
    forge(path, header, data)
    refused(path, *small(1), "run.safetensors")


BAD_HEADERS = {
    "a name twice": BEGIN + b"0" * 64 + b'","a":"","a":""}}',
    "no JSON": BEGIN + b"0" * 64 + b'"}} }',
    "no Unicode": BEGIN + b"0" * 64 + b'","a":"\xff"}}',
    "deep": BEGIN + b"0" * 64 + b'"},"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "NaN": BEGIN + b"0" * 64 + b'"},"a":NaN}',
    "a long number": BEGIN + b"0" * 64 + b'"},"a":' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("what", BAD_HEADERS)
def test_a_header_that_is_no_json_is_refused(path, what):
    forge(path, BAD_HEADERS[what])
    refused(path, *small(), "not JSON")


def test_what_is_no_checkpoint_is_refused(path, tmp_path):
    from safetensors.numpy import save_file

    fifo, folder, nothing = tmp_path / "fifo", tmp_path / "folder", tmp_path / "nothing"
    os.mkfifo(fifo)
    folder.mkdir()
    pickled, foreign, empty = tmp_path / "a.pt", tmp_path / "foreign", tmp_path / "empty"
    pickled.write_bytes(pickle.dumps({"model": [1] * 99}))
    save_file({"weight": np.zeros((1, 1), np.float32)}, foreign)
    empty.touch()
    for each in (fifo, folder, nothing, pickled, foreign, empty, Path("/dev/zero")):
        refused(each, *small(), str(each))


def test_memory_stays_small_whatever_the_header_says(tmp_path):
    """100 MB of header, with the right hash and a wrong one, and a length beyond everything."""
    header = BEGIN + b"0" * 64 + b'"},"a":[' + b"[]," * 33_000_000 + b"[]]}"
    forge(tmp_path / "right", header)
    whole = bytearray((tmp_path / "right").read_bytes())
    whole[-5] ^= 1
    (tmp_path / "wrong").write_bytes(whole)
    (tmp_path / "long").write_bytes(b"\xff" * 8 + BEGIN + b"0" * 99)
    moderate = BEGIN + b"0" * 64 + b'"},"a":[' + b"[]," * 5_000_000 + b"[]]}"
    (tmp_path / "moderate").write_bytes(struct.pack("<Q", len(moderate)) + moderate)
    code = """if True:
        import resource, sys, trainstation as ts, hashlib, mmap, os
        try: ts.load(os.devnull)
        except ts.CheckpointError: pass
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try: ts.load(sys.argv[1])
        except ts.CheckpointError: print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    """
    for name in ("right", "wrong", "long", "moderate"):
        run = subprocess.run(
            [sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True, check=True, timeout=60
        )
        assert int(run.stdout) <= (tmp_path / name).stat().st_size + (16 << 20), (name, run.stderr)


@contextmanager
def limited(size):
    """No file may grow past `size`: a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def unprivileged():
    """Be bound by permission bits, which root is not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def kept(path, message, extra):
    """A save fails, says why, and leaves the old file, and no other."""
    with pytest.raises(ts.CheckpointError, match=rf"cannot write .*{message}.*what was there is as it was"):
        ts.save(path, extra=extra)
    assert ts.load(path) == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("size", [0, 10, 5000, 1_500_000])
def test_a_full_disk_leaves_the_old_file(path, size):
    ts.save(path, extra="old")
    with limited(size):
        kept(path, "File too large", np.zeros(1 << 18))
    ts.save(path, extra="new")
    assert ts.load(path) == "new"


@pytest.mark.parametrize("number", ["ENOSPC", "EIO"])
def test_an_error_of_the_disk_leaves_the_old_file(path, monkeypatch, number):
    import errno

    def fails(file):
        code = getattr(errno, number)
        raise OSError(code, os.strerror(code))

    ts.save(path, extra="old")
    monkeypatch.setattr(files.os, "fsync", fails)
    kept(path, os.strerror(getattr(errno, number)), 1)


def test_a_folder_that_may_not_be_written_to_is_left(tmp_path):
    for parent in (tmp_path, *tmp_path.parents[:3]):  # pytest's own are for their owner alone
        if parent.stat().st_uid == os.getuid():
            parent.chmod(0o755)
    folder = tmp_path / "read-only"
    folder.mkdir()
    path = folder / "run"
    ts.save(path, extra="old")
    path.chmod(0o644)
    folder.chmod(0o555)
    try:
        with unprivileged():
            kept(path, "Permission denied", 1)
        path.chmod(0)
        with unprivileged(), pytest.raises(ts.CheckpointError, match=r"cannot read .*Permission denied"):
            ts.load(path)
    finally:
        folder.chmod(0o755)


def test_a_folder_that_vanishes_is_said(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    with pytest.raises(ts.CheckpointError, match="No such file"):
        ts.save(folder / "run", extra=1)
    folder.mkdir()
    fsync = os.fsync

    def vanishes(file):
        fsync(file)
        shutil.rmtree(folder)

    monkeypatch.setattr(files.os, "fsync", vanishes)
    with pytest.raises(ts.CheckpointError, match="No such file"):
        ts.save(folder / "run", extra=1)
    assert not folder.exists()


def test_an_interrupt_leaves_the_old_file(path, monkeypatch):
    def interrupted(file):
        raise KeyboardInterrupt

    ts.save(path, extra="old")
    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ts.save(path, extra="new")
    assert ts.load(path) == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_or_a_link_in_the_place_of_the_file(path, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(ts.CheckpointError, match="Is a directory"):
        ts.save(folder, extra=1)
    path.symlink_to(folder / "real")
    ts.save(path, extra=2)
    assert path.is_symlink()
    assert ts.load(folder / "real") == 2
    (folder / "real.tmp").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ts.CheckpointError, match="symbolic link"):
        ts.save(path, extra=3)
    assert not (tmp_path / "elsewhere").exists()


def test_permissions_are_those_of_the_old_file(path):
    ts.save(path, extra=1)
    path.chmod(0o640)
    ts.save(path, extra=2)
    assert path.stat().st_mode & 0o777 == 0o640


def test_saving_onto_the_file_that_the_tensors_are_mapped_from(path):
    weights = np.arange(1 << 16, dtype=np.float32)
    ts.save(path, extra=weights)
    at = path.stat().st_size - weights.nbytes
    model = ts.nn.Module()
    model.weight = ts.nn.Parameter(np.zeros(1, np.float32))
    model.weight.data = np.memmap(path, np.float32, "r", at)
    ts.save(path, model=model, extra=model.weight)
    assert ts.load(path).tobytes() == weights.tobytes()


KILLED = """if True:
    import os, random, signal, sys, time
    import numpy as np, trainstation as ts
    path, count = sys.argv[1], int(sys.argv[2])
    ts.save(path, extra={"n": 0, "a": np.full(100_000, 0.0)})
    ts.load(path)
    last = changed = 0
    parent = os.getpid()
    for round in range(count):
        saved, told = os.pipe()
        child = os.fork()
        if child == 0:
            while os.getppid() == parent:  # it may be killed itself
                last += 1
                ts.save(path, extra={"n": last, "a": np.full(100_000, float(last))})
                os.write(told, b".")
            os._exit(0)
        if round % 2:  # however busy the machine is, there is then something to kill
            os.read(saved, 1)
        time.sleep(random.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(saved)
        os.close(told)
        found = ts.load(path)
        assert (found["a"] == found["n"]).all() and found["n"] >= last, (found["n"], last)
        changed += found["n"] > last
        last = found["n"]
        assert set(os.listdir(os.path.dirname(path))) <= {"run.safetensors", "run.safetensors.tmp"}
    print(changed)
"""


def killed(path, count):
    run = subprocess.run(
        [sys.executable, "-c", KILLED, path, str(count)], stdout=subprocess.PIPE, text=True, check=True, timeout=300
    )
    assert int(run.stdout) >= count // 2


def test_killed_at_any_moment_the_file_is_the_old_or_the_new(path):
    killed(path, 20)


@pytest.mark.exhaustive
def test_killed_a_thousand_times_the_file_is_the_old_or_the_new(path):
    killed(path, 1000)


def test_savers_of_one_path_wait_for_one_another(path):
    from threading import Thread

    threads = [Thread(target=lambda n=n: [ts.save(path, extra=[n] * 99) for _ in range(20)]) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert len(set(ts.load(path))) == 1
    assert list(path.parent.iterdir()) == [path]
