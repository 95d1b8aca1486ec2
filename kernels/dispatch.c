/* From a table of slots to the kernels of one instruction set. */
#include "kernels.h"

#include <stddef.h>

#define TS_RULE_FIELDS(name, n_states, n_scalars) {#name, n_states, n_scalars},
#define TS_RULE_LIST_ONLY
#include "rules/rules.h"

static const struct {
    const char *name;
    int n_states, n_scalars;
} rules[] = {TS_RULE_LIST(TS_RULE_FIELDS)};

enum { N_RULES = sizeof rules / sizeof *rules };

extern ts_rule_fn *const ts_rules_scalar[N_RULES][TS_N_DTYPES];
#ifdef TS_X86
extern ts_rule_fn *const ts_rules_avx2[N_RULES][TS_N_DTYPES];
extern ts_rule_fn *const ts_rules_avx512[N_RULES][TS_N_DTYPES];
#endif
#ifdef TS_ARM64
extern ts_rule_fn *const ts_rules_neon[N_RULES][TS_N_DTYPES];
#endif

static ts_rule_fn *const (*const kernels[TS_N_ISAS])[TS_N_DTYPES] = {
    [TS_SCALAR] = ts_rules_scalar,
#ifdef TS_X86
    [TS_AVX2] = ts_rules_avx2,
    [TS_AVX512] = ts_rules_avx512,
#endif
#ifdef TS_ARM64
    [TS_NEON] = ts_rules_neon,
#endif
};

const char *ts_rule_name(int rule) { return rule >= 0 && rule < N_RULES ? rules[rule].name : NULL; }
int ts_rule_states(int rule) { return rule >= 0 && rule < N_RULES ? rules[rule].n_states : -1; }
int ts_rule_scalars(int rule) { return rule >= 0 && rule < N_RULES ? rules[rule].n_scalars : -1; }

/* The caller has checked everything: isa is usable, rules and dtypes exist, arrays are as trainstation.h says. */
void ts_step(int isa, const ts_slot *slots, int64_t n_slots) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    for (int64_t i = 0; i < n_slots; i++) {
        const ts_slot *slot = &slots[i];
        kernels[isa][slot->rule][slot->dtype](slot, 0, slot->n);
        ++*slot->step;
    }
    ts_fp_mode(caller);
}
