/* The rules: those of the core, and behind them those that plugins have brought. */
#include "kernels.h"

#include <stddef.h>

#define TS_RULE_LIST_ONLY
#include "rules/rules.h"

#define TS_RULE_PLACE(name, n_states, n_scalars, kinds) PLACE_##name,
enum { TS_RULE_LIST(TS_RULE_PLACE) N_CORE, MAX_RULES = 256 };

extern ts_rule_fn *const ts_rules_scalar[N_CORE][TS_N_FORMATS];
#define SCALAR(name) ts_rules_scalar[PLACE_##name]
#ifdef TS_X86
extern ts_rule_fn *const ts_rules_avx2[N_CORE][TS_N_FORMATS];
extern ts_rule_fn *const ts_rules_avx512[N_CORE][TS_N_FORMATS];
#define AVX2(name) ts_rules_avx2[PLACE_##name]
#define AVX512(name) ts_rules_avx512[PLACE_##name]
#else
#define AVX2(name) NULL
#define AVX512(name) NULL
#endif
#ifdef TS_ARM64
extern ts_rule_fn *const ts_rules_neon[N_CORE][TS_N_FORMATS];
#define NEON(name) ts_rules_neon[PLACE_##name]
#else
#define NEON(name) NULL
#endif

#define TS_RULE_FIELDS(name, n_states, n_scalars, kinds)                                                     \
    {#name, n_states, n_scalars, kinds, {SCALAR(name), AVX2(name), AVX512(name), NEON(name)}},
static const ts_rule core[N_CORE] = {TS_RULE_LIST(TS_RULE_FIELDS)};
static const ts_rule *loaded[MAX_RULES - N_CORE];
static int n_loaded;

const ts_rule *ts_rule_at(int rule) {
    if (rule < 0 || rule >= N_CORE + n_loaded) return NULL;
    return rule < N_CORE ? &core[rule] : loaded[rule - N_CORE];
}

int ts_rules_add(const ts_rule *rules, int n) {
    const int first = N_CORE + n_loaded;
    if (n > MAX_RULES - first) return -1;
    for (int i = 0; i < n; i++) loaded[n_loaded++] = &rules[i];
    return first;
}

ts_rule_fn *ts_rule_fn_at(int isa, int rule, int format) {
    static const int lower[TS_N_ISAS] = {-1, TS_SCALAR, TS_AVX2, TS_SCALAR};
    const ts_rule *found = ts_rule_at(rule);
    for (; isa >= 0; isa = lower[isa])
        if (found->fn[isa] != NULL && found->fn[isa][format] != NULL) return found->fn[isa][format];
    return NULL;
}
