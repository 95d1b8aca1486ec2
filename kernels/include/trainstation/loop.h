/* Turns the rules of TS_RULES into kernels of one instruction set. Include a simd header first, and define
 *   TS_RULES   the header that includes the rules and lists them: TS_RULE_LIST(X), X(name, states, scalars, kinds)
 *   TS_TABLE   the name of the table that results: ts_rule_fn *const [rules][TS_N_FORMATS]
 * A rule is a function of vectors, `static inline vf TS_FN(name)(vf p, vf g, vf *s, const vf *h)`: it returns
 * the new parameter and updates the states s in place; h holds the scalars. */

enum { TS_LONG = 4096 }; /* elements for which it pays to align */

#include "trainstation/names.h"

#define TS_FN(name) TS_PASTE3(ts_##name##_, TS_BITS, )
#define TS_OWN(name) TS_PASTE3(ts_own_##name##_, TS_BITS, ) /* what a rule may not be called */

#define v_max TS_OWN(max)
#define v_min TS_OWN(min)
#define v_sign TS_OWN(sign)

#define TS_KERNEL(name, n_states, n_scalars, kinds)                                                          \
    static void TS_FN(name##_loop)(const ts_slot *slot, double gscale, int64_t begin, int64_t end) {         \
        TS_OWN(loop)(TS_FN(name), n_states, n_scalars, slot, gscale, begin, end);                             \
    }

#define TS_BITS 32
#include "trainstation/loop_body.h"
#include "trainstation/loop_stored.h"
#undef TS_BITS
#define TS_BITS 64
#include "trainstation/loop_body.h"
#undef TS_BITS

#define TS_ENTRY(name, n_states, n_scalars, kinds)                                                           \
    {ts_##name##_loop_32, ts_##name##_loop_64, ts_##name##_loop_bfloat16, ts_##name##_loop_8bit},
extern ts_rule_fn *const TS_TABLE[][TS_N_FORMATS] __attribute__((visibility("hidden")));
ts_rule_fn *const TS_TABLE[][TS_N_FORMATS] = {TS_RULE_LIST(TS_ENTRY)};

#ifdef TS_END_ISA
TS_END_ISA
#endif
