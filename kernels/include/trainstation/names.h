/* The names of the vector operations without their width: v_add is v32_add or v64_add, as TS_BITS says at the moment. */
#ifndef TS_NAMES_H
#define TS_NAMES_H

#define TS_PASTE3_(a, b, c) a##b##c
#define TS_PASTE3(a, b, c) TS_PASTE3_(a, b, c)
#define TS_OP(name) TS_PASTE3(v, TS_BITS, _##name)

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
#define v_sum TS_OP(sum)
#define v_largest TS_OP(largest)

#endif
