"""Other processors, emulated, and sanitizers: the same tables in a C program, the same bits."""

import os

import numpy as np
import pytest
from cases import CASES, FLUSH, FORMATS, Job, cases, formats
from native import OPERATIONS, SANITIZED, Harness, mixed, sizes_of

from trainstation import kernels
from trainstation.optimizers.elementwise import sum_of_squares

SIZES = [*range(36), 63, 64, 65, 255, 256, 257, 513, 4095, 4097, 10_007]
FLUSH_ON_ARM = 1 << 24


def arrays_to_add():
    rng = np.random.default_rng(0)
    sizes = [*range(36), 4095, 4096, 4097, 10_007]
    return [rng.standard_normal(n).astype(dtype) for n in sizes for dtype in (np.float32, np.float64)]


def built(tmp_path_factory, name, *arguments, **options):
    return Harness(tmp_path_factory.mktemp(name) / "harness", *arguments, **options)


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    flags = ["aarch64-linux-gnu-gcc", "-O3", "-static"]
    return built(tmp_path_factory, "arm", *flags, runner=["qemu-aarch64"], fp_mode=0)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """For x86-64 processors: a program that depends on nothing but the kernel."""
    return built(tmp_path_factory, "plain", "gcc", "-O3", "-static")


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory):
    flags = ["gcc", *SANITIZED, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1"}
    return built(tmp_path_factory, "sanitized", *flags, extra=OPERATIONS, environment=environment)


class TestArm:
    def test_neon_is_there(self, arm):
        assert arm.usable() == ["scalar", "neon"]

    @pytest.mark.parametrize("isa", ["scalar", "neon"])
    @formats
    @cases
    def test_every_rule_and_format_gives_the_bits_of_update(self, arm, case, fmt, isa):
        tables = [
            *sizes_of(case, fmt, SIZES, gscale=-0.3),
            *([Job(case, fmt, case.drawn(fmt, 300, seed=t), t=t)] for t in (1, 2, 2**40)),
            [Job(case, fmt, case.special(fmt))],
        ]
        arm.check(isa, tables)

    @pytest.mark.parametrize("isa", ["scalar", "neon"])
    @formats
    @cases
    def test_flush_to_zero_in_the_caller_changes_no_bit(self, arm, case, fmt, isa):
        arm.check(isa, [[Job(case, fmt, case.special(fmt), t=1)]], fp_mode=FLUSH_ON_ARM)

    @pytest.mark.parametrize("threads", [1, 3])
    def test_tables_of_all_rules_and_formats(self, arm, threads):
        arm.check("neon", [mixed(CASES.values(), FORMATS.values())], threads)

    def test_the_sum_of_squares_has_the_same_bits(self, arm):
        arrays = arrays_to_add()
        for isa in ("scalar", "neon"):
            assert arm.squares(isa, arrays) == tuple(map(sum_of_squares, arrays))

    def test_powers_have_the_same_bits(self, arm):
        pairs = [(base, t) for base in (0.0, 0.5, 0.9, 0.999, 0.9999) for t in (0, 1, 2, 3, 10, 1000, 123_457, 10**6)]
        assert arm.powers(pairs) == tuple(kernels.power(*pair) for pair in pairs)


class TestOtherProcessors:
    """B23 of pitfalls.md: what was built here runs where fewer instructions are known."""

    @pytest.mark.parametrize(
        ("cpu", "isas"),
        [
            ("Nehalem", ["scalar"]),
            ("qemu64", ["scalar"]),
            ("Haswell", ["scalar", "avx2"]),
            ("Haswell,-avx2", ["scalar"]),
        ],
    )
    def test_a_processor_is_known_by_what_it_can_do(self, plain, cpu, isas):
        plain.runner = ["qemu-x86_64", "-cpu", cpu]
        assert plain.usable() == isas

    @pytest.mark.parametrize(("cpu", "isa"), [("Nehalem", "scalar"), ("Haswell,-fma", "avx2")])
    def test_every_rule_and_format_runs_there(self, plain, cpu, isa):
        plain.runner = ["qemu-x86_64", "-cpu", cpu]
        for case in CASES.values():
            for fmt in FORMATS.values():
                plain.check(isa, sizes_of(case, fmt, [0, 1, 7, 16, 300]))
        arrays = arrays_to_add()
        assert plain.squares(isa, arrays) == tuple(map(sum_of_squares, arrays))

    def test_an_instruction_set_that_is_not_there_would_end_the_program(self, plain):
        """So that the tests above mean something: the emulator does refuse what the processor lacks."""
        plain.runner = ["qemu-x86_64", "-cpu", "Nehalem"]
        with pytest.raises(AssertionError):
            plain.check("avx2", sizes_of(CASES["adam"], FORMATS["float32"], [8]))


class TestSanitized:
    """AddressSanitizer and UndefinedBehaviorSanitizer: no report, and the same bits."""

    def test_every_rule_and_format(self, sanitized):
        for isa in sanitized.usable():
            for case in CASES.values():
                for fmt in FORMATS.values():
                    tables = [*sizes_of(case, fmt, SIZES[:-1]), [Job(case, fmt, case.special(fmt))]]
                    sanitized.check(isa, tables)
                    sanitized.check(isa, tables[-1:], fp_mode=FLUSH)

    @pytest.mark.parametrize("threads", [1, 3])
    def test_tables_of_all_rules_and_formats(self, sanitized, threads):
        for isa in sanitized.usable():
            sanitized.check(isa, [mixed(CASES.values(), FORMATS.values(), seed) for seed in range(2)], threads)

    def test_the_sum_of_squares(self, sanitized):
        arrays = arrays_to_add()
        for isa in sanitized.usable():
            assert sanitized.squares(isa, arrays) == tuple(map(sum_of_squares, arrays))

    def test_the_rules_of_a_plugin(self, sanitized):
        rng = np.random.default_rng(0)
        for isa in sanitized.usable():
            for n in SIZES:
                names = ("s0", "s1", "s2", "s3")
                arrays = {name: rng.standard_normal(n).astype(np.float32) for name in ("p", "g", *names)}
                found = sanitized.rule(isa, "op_states", FORMATS["float32"], arrays, names)
                assert found["s3"].tobytes() == arrays["s0"].tobytes()

    def test_a_byte_too_far_would_be_seen(self, sanitized):
        job = Job(CASES["adam"], FORMATS["float32"], CASES["adam"].drawn(FORMATS["float32"], 9))
        job.arrays["g"] = job.arrays["g"][:8].copy()
        with pytest.raises(AssertionError, match="heap-buffer-overflow"):
            sanitized.check("scalar", [[job]])
