"""The one door for compiled rules: what `ts.kernels.load` takes in, and what it turns away before it is used."""

import os
import subprocess
import sys

import numpy as np
import pytest

import trainstation as ts
from trainstation import kernels

HEAD = '#include "trainstation/trainstation.h"\n#include <stddef.h>\n'

# A whole plugin by the headers: one rule, with scalar kernels.
RULE = """
#define TS_RULE_LIST(X) X(total, 1, 1, TS_KINDS(TS_SIGNED, 0, 0, 0))
TS_INLINE vf TS_FN(total)(vf p, vf g, vf *s, const vf *h) {
    s[0] = v_add(s[0], g);
    return v_sub(p, v_mul(h[0], v_sign(s[0])));
}
"""
SCALAR = '#include "trainstation/simd/scalar.h"\n#define TS_RULES "rule.h"\n#define TS_TABLE rules_scalar\n'
SCALAR += '#include "trainstation/loop.h"\n'
GOOD = """
extern ts_rule_fn *const rules_scalar[1][TS_N_FORMATS];
static const ts_rule rules[] = {{NAME, 1, 1, TS_KINDS(TS_SIGNED, 0, 0, 0), {rules_scalar[0], NULL, NULL, NULL}}};
static const ts_plugin plugin = {TS_PLUGIN_HEAD, 1, rules};
TS_EXPORT const ts_plugin *trainstation_plugin_v1(void) { return &plugin; }
"""

# The parts of a plugin, each of which a case below spells otherwise. Its first rule is always good.
PARTS = """
#define STATES 1
#define SCALARS 1
#define KINDS TS_SIGNED
#define NAME "abi_bad"
#define SCALAR table
#define ABI TS_ABI_VERSION
#define PLUGIN_SIZE sizeof(ts_plugin)
#define RULE_SIZE sizeof(ts_rule)
#define SLOT_SIZE sizeof(ts_slot)
#define N_RULES 2
#define RULES rules
#define RETURN &plugin
"""
BAD = """
static void nothing(const ts_slot *slot, double gscale, int64_t begin, int64_t end) {
    (void)slot, (void)gscale, (void)begin, (void)end;
}
static ts_rule_fn *const table[TS_N_FORMATS] = {nothing, nothing, nothing, nothing};
static const ts_rule rules[] = {{"abi_fine", 0, 0, 0, {table}}, {NAME, STATES, SCALARS, KINDS, {SCALAR}}};
static const ts_plugin plugin = {ABI, PLUGIN_SIZE, RULE_SIZE, SLOT_SIZE, N_RULES, RULES};
TS_EXPORT const ts_plugin *trainstation_plugin_v1(void) { (void)rules, (void)plugin; return RETURN; }
"""


@pytest.fixture
def build(tmp_path):
    """Return a function that compiles texts of C to a library."""

    def build(name, *texts):
        (tmp_path / "rule.h").write_text(RULE)
        sources = [tmp_path / f"{name}_{index}.c" for index in range(len(texts))]
        for source, text in zip(sources, texts, strict=True):
            source.write_text(text)
        library = tmp_path / f"{name}.so"
        flags = ["-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-I", tmp_path, "-I", kernels.get_include()]
        done = subprocess.run(
            ["gcc", *flags, *sources, "-o", library], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return library

    return build


def good(build, name):
    return build(name, HEAD + f'#define NAME "{name}"\n' + GOOD, SCALAR)


@pytest.mark.parametrize(
    ("part", "spelling", "text"),
    [
        ("ABI", "TS_ABI_VERSION + 1", "built for version 2 of the kernel ABI; this is 1"),
        ("ABI", "0", "built for version 0 of the kernel ABI; this is 1"),
        ("PLUGIN_SIZE", "sizeof(ts_plugin) + 8", "structures have the sizes"),
        ("RULE_SIZE", "sizeof(ts_rule) - 8", "structures have the sizes"),
        ("SLOT_SIZE", "0", "structures have the sizes"),
        ("RETURN", "NULL", "returned nothing"),
        ("RULES", "NULL", "claims 2 rules"),
        ("N_RULES", "0", "claims 0 rules"),
        ("N_RULES", "-1", "claims -1 rules"),
        ("N_RULES", "65", "claims 65 rules"),
        ("NAME", "NULL", "rule is named ''"),
        ("NAME", '""', "rule is named ''"),
        ("NAME", '"Lion"', "rule is named 'Lion'"),
        ("NAME", '"my-rule"', "rule is named 'my-rule'"),
        ("NAME", '"1st"', "rule is named '1st'"),
        ("NAME", '"rule\\n"', r"rule is named 'rule\\n'"),
        ("NAME", '"\\xff\\xfe"', "rule is named"),
        ("NAME", f'"{"a" * 65}"', "up to 64 characters"),
        ("NAME", '"adam"', "there is a rule 'adam' already"),
        ("NAME", '"abi_fine"', "there is a rule 'abi_fine' already"),
        ("STATES", "TS_MAX_STATES + 1", "'abi_bad' claims 5 states"),
        ("STATES", "-1", "'abi_bad' claims -1 states"),
        ("SCALARS", "TS_MAX_SCALARS + 1", "'abi_bad' claims 1 states and 17 scalars"),
        ("SCALARS", "-1", "'abi_bad' claims 1 states and -1 scalars"),
        ("KINDS", "3", "'abi_bad' claims kinds of states that do not exist: 0x3"),
        ("KINDS", "TS_KINDS(TS_SIGNED, TS_SIGNED, 0, 0)", "'abi_bad' claims kinds of states that do not exist: 0x5"),
        ("KINDS", "-1", "'abi_bad' claims kinds of states that do not exist"),
        ("SCALAR", "NULL", "'abi_bad' has no scalar kernels"),
    ],
)
def test_a_wrong_description_is_refused_and_registers_nothing(build, part, spelling, text):
    parts = "".join(
        f"#define {part} {spelling}\n" if line.startswith(f"#define {part} ") else line
        for line in PARTS.splitlines(keepends=True)
    )
    library = build("bad", HEAD + parts + BAD)
    before = kernels.rules()
    for _ in range(2):  # nothing is remembered of it
        with pytest.raises(ts.KernelABIError, match=text) as caught:
            kernels.load(library)
        assert str(caught.value).startswith(f"{library}: ")
        assert kernels.rules() == before


def test_without_a_wrong_part_the_same_description_is_taken(build):
    assert kernels.load(build("fine", HEAD + PARTS + BAD)) == ("abi_fine", "abi_bad")


def test_a_library_that_is_no_plugin_is_refused(build):
    library = build("none", "int trainstation_plugin_v2(void) { return 0; }")
    with pytest.raises(ts.KernelABIError, match="exports no trainstation_plugin_v1") as caught:
        kernels.load(library)
    assert str(library) in str(caught.value)


@pytest.mark.parametrize("kind", ["absent", "text", "empty", "folder"])
def test_what_is_no_library_is_an_os_error_that_names_it(tmp_path, kind):
    path = tmp_path / "some.so"
    if kind == "folder":
        path.mkdir()
    elif kind != "absent":
        path.write_text("not a library" if kind == "text" else "")
    with pytest.raises(OSError, match=r"some\.so"):
        kernels.load(path)


class Rule(ts.optimizers.Optimizer):
    """The rule of these plugins in NumPy."""

    states = ("total",)

    def __init__(self, params, **options):
        super().__init__(params, {"lr": 0.1}, **options)

    def scalars(self, hyper, t):
        return (hyper["lr"] * t,)

    def state_kinds(self, hyper):
        return {"total": "signed"}

    def update(self, p, g, state, scalars):
        state["total"] += g
        p -= scalars[0] * np.sign(state["total"])


def run(rule, dtype=np.float32, n=5000, **options):
    """Return the bytes after three steps, and what they ran on."""
    kind = type("Kind", (Rule,), {"rule": rule})
    p = ts.tensor(np.linspace(-1, 1, n, dtype=dtype), requires_grad=True)
    optimizer = kind([p], **options)
    for seed in range(3):
        p.grad = np.random.default_rng(seed).standard_normal(n).astype(dtype)
        optimizer.step()
    arrays = [p.data, *(np.asarray(value) for value in optimizer.state[p].values())]
    return [array.tobytes() for array in arrays], optimizer.last_step.isa


@pytest.mark.parametrize("isa", kernels.isas())
def test_a_rule_that_has_only_scalar_kernels_runs_under_every_instruction_set(build, isa):
    name = f"abi_only_scalar_{isa}"
    assert kernels.find_rule(name) is None
    expected = [run(name, dtype, state_dtype=kept) for dtype, kept in CASES]  # no such rule yet: `update`
    assert {on for _, on in expected} == {"numpy"}
    assert kernels.load(good(build, name)) == (name,)
    with kernels.use(isa):
        found = [run(name, dtype, state_dtype=kept) for dtype, kept in CASES]
    assert {on for _, on in found} == {isa}
    assert [arrays for arrays, _ in found] == [arrays for arrays, _ in expected]


CASES = [(np.float64, None), (np.float32, None), (np.float32, "bfloat16"), (np.float32, "8bit")]


def test_a_format_that_a_table_leaves_out_is_served_by_a_lower_one_and_one_that_all_leave_out_by_update(build):
    """The widest instruction set has float32 alone, the scalar one all but 8 bit."""
    widest = ("scalar", "avx2", "avx512", "neon").index(kernels.isas()[-1])
    assert widest > 0
    text = f"""
extern ts_rule_fn *const rules_scalar[1][TS_N_FORMATS];
static ts_rule_fn *table[TS_N_FORMATS], *wide[TS_N_FORMATS];
static ts_rule rules[] = {{{{"abi_partial", 1, 1, TS_KINDS(TS_SIGNED, 0, 0, 0), {{0}}}}}};
static const ts_plugin plugin = {{TS_PLUGIN_HEAD, 1, rules}};
static int calls;
static void counted(const ts_slot *slot, double gscale, int64_t begin, int64_t end) {{
    calls++;
    rules_scalar[0][TS_FLOAT32](slot, gscale, begin, end);
}}
TS_EXPORT int count(void);
int count(void) {{ return calls; }}
TS_EXPORT const ts_plugin *trainstation_plugin_v1(void) {{
    for (int k = 0; k < TS_8BIT_STATE; k++) table[k] = rules_scalar[0][k];
    wide[TS_FLOAT32] = counted;
    rules[0].fn[TS_SCALAR] = table;
    rules[0].fn[{widest}] = wide;
    return &plugin;
}}
"""
    library = build("partial", HEAD + text, SCALAR)
    assert kernels.load(library) == ("abi_partial",)
    import ctypes

    count = ctypes.CDLL(str(library)).count
    for dtype, kept in CASES:
        before = count()
        arrays, on = run("abi_partial", dtype, state_dtype=kept)
        assert arrays == run(None, dtype, state_dtype=kept)[0]
        assert on == ("numpy" if kept == "8bit" else kernels.isas()[-1])
        assert (count() > before) == (dtype is np.float32 and kept is None)


def test_loading_twice_is_harmless_whatever_the_spelling_of_the_path(build, tmp_path, monkeypatch):
    library = good(build, "abi_twice")
    (tmp_path / "link.so").symlink_to(library)
    monkeypatch.chdir(tmp_path)
    index = None
    for path in (library, str(library), "abi_twice.so", os.path.join("..", tmp_path.name, "link.so")):  # noqa: PTH118
        assert kernels.load(path) == ("abi_twice",)
        index = index or kernels.find_rule("abi_twice").index
        assert kernels.find_rule("abi_twice").index == index


def test_a_second_library_with_the_name_of_a_rule_is_refused_and_the_first_still_steps(build, tmp_path):
    first = good(build, "abi_same")
    second = tmp_path / "second.so"
    second.write_bytes(first.read_bytes())
    kernels.load(first)
    with pytest.raises(ts.KernelABIError, match=r"second\.so: there is a rule 'abi_same' already"):
        kernels.load(second)
    assert run("abi_same")[0] == run(None)[0]


def test_an_optimizer_whose_states_or_scalars_are_not_the_rules_is_refused_before_anything_moves(build):
    kernels.load(good(build, "abi_fits"))
    two = type("Two", (Rule,), {"rule": "abi_fits", "states": ("total", "other")})
    many = type("Many", (Rule,), {"rule": "abi_fits", "scalars": lambda self, hyper, t: (1.0, 2.0)})
    other = type("Other", (Rule,), {"rule": "abi_fits", "state_kinds": lambda self, hyper: {"total": "positive"}})
    for kind, options in [(two, {}), (many, {}), (other, {"state_dtype": "bfloat16"})]:
        p = ts.Tensor.ones(3, requires_grad=True)
        p.grad = np.ones(3, np.float32)
        with pytest.raises(ts.KernelError, match=r"abi_fits|its rule takes 1"):
            kind([p], **options).step()
        assert (p.data == 1).all()


MANY = """
#define N 60
static char names[N][16];
static ts_rule rules[N];
static const ts_plugin plugin = {TS_PLUGIN_HEAD, N, rules};
static void nothing(const ts_slot *slot, double gscale, int64_t begin, int64_t end) {
    (void)slot, (void)gscale, (void)begin, (void)end;
}
static ts_rule_fn *const table[TS_N_FORMATS] = {nothing, nothing, nothing, nothing};
TS_EXPORT const ts_plugin *trainstation_plugin_v1(void) {
    for (int i = 0; i < N; i++) {
        const char digits[] = {PREFIX, (char)('a' + i / 10), (char)('0' + i % 10), 0};
        for (int k = 0; k < 4; k++) names[i][k] = digits[k];
        rules[i].name = names[i];
        rules[i].fn[TS_SCALAR] = table;
    }
    return &plugin;
}
"""


def test_where_there_is_no_room_for_all_rules_of_a_library_none_is_taken(build):
    libraries = [build(f"many_{c}", f"{HEAD}#define PREFIX '{c}'\n{MANY}") for c in "vwxyz"]
    code = """
import sys
from trainstation import KernelABIError, kernels
for library in sys.argv[1:]:
    before = kernels.rules()
    try:
        assert len(kernels.load(library)) == 60
    except KernelABIError as error:
        print(error)
        assert kernels.rules() == before
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *libraries], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "there is no room" in done.stdout
