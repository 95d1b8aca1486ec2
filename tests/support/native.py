"""The C of kernels/ in programs of its own: compiled for other processors or with sanitizers, and fed from here."""

import itertools
import os
import struct
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from cases import DEFAULT, Job
from cases import FLOAT64 as WIDE

from trainstation import kernels
from trainstation.kernels.step import MAX_SCALARS, MAX_STATES

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tests" / "needs_tools"
MODULE = sorted(path for path in (ROOT / "kernels").glob("*.c") if path.name != "kernels.csrc.c")
SOURCES = [path for path in MODULE if path.name not in ("objects.c", "python.c")]  # those that no Python is needed for
OPERATIONS = sorted((TOOLS / "operations").glob("*.c"))
INCLUDES = [
    *("-isystem", sysconfig.get_path("include")),
    *("-I", str(ROOT / "kernels")),
    *("-I", str(ROOT / "kernels" / "include")),
    *("-I", str(TOOLS / "operations")),
]
FLAGS = ["-std=c99", "-ffp-contract=off", "-fno-math-errno"]
SANITIZED = ["-O1", "-g1", "-fno-omit-frame-pointer"]  # more of -g takes gcc twice the time
ISAS = ("scalar", "avx2", "avx512", "neon")
STEP, POWER, SQUARES, USABLE = range(4)
ARRAYS = 2 + 2 * MAX_STATES
HEADER = struct.Struct(f"<6i48s2qQ{ARRAYS}q2d{MAX_SCALARS}d")


def run(*command, **options):
    """Run a command that must succeed; return its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, check=False, **options)
    assert done.returncode == 0, (done.returncode, done.stderr.decode(errors="replace")[-5000:])
    return done.stdout


def compiled(folder, compiler, flags, sources):
    """Compile sources side by side; return the object files."""

    def one(source):
        made = folder / f"{source.parent.name}_{source.stem}.o"
        run(compiler, *FLAGS, *flags, *INCLUDES, "-c", source, "-o", made)
        return made

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, sources))


class Harness:
    """tests/needs_tools/harness.c, compiled in some way and run by some command."""

    def __init__(self, program, compiler, *flags, runner=(), fp_mode=DEFAULT, extra=(), environment=None):
        self.program, self.runner, self.fp_mode, self.environment = program, runner, fp_mode, environment
        objects = compiled(program.parent, compiler, flags, [TOOLS / "harness.c", *SOURCES, *extra])
        run(compiler, *flags, *objects, "-o", program, "-lm", "-lpthread")

    def ask(self, sent):
        return run(*self.runner, self.program, input=sent, env=self.environment)

    def usable(self):
        """Return the instruction sets that are there for the program."""
        answers = self.ask(b"".join(header(USABLE, isa) for isa in ISAS))
        return [isa for isa, answer in zip(ISAS, struct.unpack(f"<{len(ISAS)}d", answers), strict=True) if answer]

    def powers(self, cases):
        answers = self.ask(b"".join(header(POWER, "scalar", t=t, scalars=(base,)) for base, t in cases))
        return struct.unpack(f"<{len(cases)}d", answers)

    def squares(self, isa, arrays):
        sent = b"".join(
            header(SQUARES, isa, fmt=WIDE if a.dtype == np.float64 else 0, n=a.size, bytes_=[a.nbytes]) + a.tobytes()
            for a in arrays
        )
        return struct.unpack(f"<{len(arrays)}d", self.ask(sent))

    def check(self, isa, tables, threads=1, fp_mode=None):
        """Step tables of jobs, and compare each with `update`; all in one run of the program."""
        sent = b"".join(
            table_bytes(isa, table, threads, self.fp_mode if fp_mode is None else fp_mode) for table in tables
        )
        received = memoryview(self.ask(sent))
        for table in tables:
            result, _ = struct.unpack("<2d", received[:16])
            received = received[16:]
            assert result == kernels.DONE
            for job in table:
                found = {}
                for name in names_of(job):
                    if name is not None:
                        array = job.arrays[name]
                        found[name] = np.frombuffer(received[: array.nbytes], array.dtype).reshape(array.shape)
                        received = received[array.nbytes :]
                expected = job.case.update(job.arrays, job.fmt, job.t, job.gscale)
                assert job.case.agree(found, expected, job.fmt), (isa, job.case.rule, job.fmt, job.arrays["p"].size)
        assert len(received) == 0

    def rule(self, isa, rule, fmt, arrays, states, scalars=()):
        """Run one rule over {"p", "g", states}; return the arrays."""
        sizes = [arrays[name].nbytes for name in ("p", "g", *states)]
        head = header(
            STEP, isa, fmt=fmt, rule=rule, n=arrays["p"].size, bytes_=sizes, fp_mode=self.fp_mode, scalars=scalars
        )
        received = self.ask(head + b"".join(arrays[name].tobytes() for name in ("p", "g", *states)))[16:]
        made = {}
        for name in ("p", "g", *states):
            made[name] = np.frombuffer(received[: arrays[name].nbytes], arrays[name].dtype)
            received = received[arrays[name].nbytes :]
        return made


def header(
    mode, isa, *, fmt=0, threads=1, is_last=1, rule="", n=0, t=1, bytes_=(), gscale=1.0, scalars=(), fp_mode=DEFAULT
):
    sizes = [*bytes_, *[0] * (ARRAYS - len(bytes_))]
    values = [*scalars, *[0.0] * (MAX_SCALARS - len(scalars))]
    first = (mode, ISAS.index(isa), fmt, threads, 0, is_last, rule.encode())
    return HEADER.pack(*first, n, t, fp_mode, *sizes, gscale, 0.0, *values)


def names_of(job):
    """Name the arrays of a slot as ts_slot orders them; None for those that are not there."""
    states = [*job.case.states, *[None] * (MAX_STATES - len(job.case.states))]
    scales = [f"{name}_scale" if f"{name}_scale" in job.arrays else None for name in states]
    return ["p", "g", *states, *scales]


def table_bytes(isa, table, threads, fp_mode):
    parts = []
    for place, job in enumerate(table):
        arrays = [None if name is None else job.arrays[name] for name in names_of(job)]
        parts.append(
            header(
                STEP,
                isa,
                fmt=job.fmt,
                threads=threads,
                is_last=int(place == len(table) - 1),
                rule=job.case.rule,
                n=job.arrays["p"].size,
                t=job.t,
                bytes_=[0 if array is None else array.nbytes for array in arrays],
                gscale=job.gscale,
                scalars=job.case.scalars(job.t),
                fp_mode=fp_mode,
            )
        )
        parts += [array.tobytes() for array in arrays if array is not None]
    return b"".join(parts)


def sizes_of(case, fmt, sizes, **options):
    """One table for each size."""
    return [[Job(case, fmt, case.drawn(fmt, n, seed=n), **options)] for n in sizes]


def mixed(cases, formats, seed=0):
    """One table of all rules and formats, large enough for threads."""
    rng = np.random.default_rng(seed)
    return [
        Job(case, fmt, case.drawn(fmt, int(rng.choice([0, 1, 300, 4097, 9000]))), t=5)
        for case, fmt in itertools.product(cases, formats)
    ]
