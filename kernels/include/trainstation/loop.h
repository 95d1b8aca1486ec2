/* Turns the rules of TS_RULES into kernels of one instruction set. Include a simd header first, and define
 *   TS_RULES   the header that includes the rules and lists them: TS_RULE_LIST(X), X(name, states, scalars, kinds)
 *   TS_TABLE   the name of the table that results: ts_rule_fn *const [rules][TS_N_FORMATS]
 * A rule is a function of vectors, `static inline vf TS_FN(name)(vf p, vf g, vf *s, const vf *h)`: it returns
 * the new parameter and updates the states s in place; h holds the scalars. */

enum { TS_LONG = 4096 }; /* elements for which it pays to align */

#define TS_PASTE3_(a, b, c) a##b##c
#define TS_PASTE3(a, b, c) TS_PASTE3_(a, b, c)
#define TS_OP(name) TS_PASTE3(v, TS_BITS, _##name)
#define TS_FN(name) TS_PASTE3(ts_##name##_, TS_BITS, )
#define TS_OWN(name) TS_PASTE3(ts_own_##name##_, TS_BITS, ) /* what a rule may not be called */

#define vf TS_OP(t)
#define v_elem TS_OP(elem)
#define v_lanes TS_OP(lanes)
#define v_load TS_OP(load)
#define v_store TS_OP(store)
#define v_load_n TS_OP(load_n)
#define v_store_n TS_OP(store_n)
#define v_set1 TS_OP(set1)
#define v_add TS_OP(add)
#define v_sub TS_OP(sub)
#define v_mul TS_OP(mul)
#define v_div TS_OP(div)
#define v_sqrt TS_OP(sqrt)
#define v_flush TS_OP(flush)
#define v_gt TS_OP(gt)
#define v_ne TS_OP(ne)
#define v_select TS_OP(select)
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
