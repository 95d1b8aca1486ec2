/* A rule for each v_ operation: p becomes its result. So every instruction set's words are held against NumPy's one
 * by one. */
#define TS_RULE_LIST(X)                                                                                      \
    X(op_add, 0, 0, 0)                                                                                       \
    X(op_sub, 0, 0, 0)                                                                                       \
    X(op_mul, 0, 0, 0)                                                                                       \
    X(op_div, 0, 0, 0)                                                                                       \
    X(op_sqrt, 0, 0, 0)                                                                                      \
    X(op_gt, 0, 0, 0)                                                                                        \
    X(op_ne, 0, 0, 0)                                                                                        \
    X(op_select, 1, 0, 0)                                                                                    \
    X(op_max, 0, 0, 0)                                                                                       \
    X(op_min, 0, 0, 0)                                                                                       \
    X(op_sign, 0, 0, 0)                                                                                      \
    X(op_flush, 0, 0, 0)                                                                                     \
    X(op_set1, 0, 3, 0)                                                                                      \
    X(op_states, 4, 0, 0)                                                                                    \
    X(op_inverse, 2, 1, TS_KINDS(TS_POSITIVE, TS_SIGNED, 0, 0))

#ifndef TS_RULE_LIST_ONLY
#define OPERATION(name, result)                                                                              \
    TS_INLINE vf TS_FN(name)(vf p, vf g, vf *s, const vf *h) {                                               \
        (void)p, (void)g, (void)s, (void)h;                                                                  \
        return result;                                                                                       \
    }
OPERATION(op_add, v_add(p, g))
OPERATION(op_sub, v_sub(p, g))
OPERATION(op_mul, v_mul(p, g))
OPERATION(op_div, v_div(p, g))
OPERATION(op_sqrt, v_sqrt(p))
OPERATION(op_gt, v_select(v_gt(p, g), v_set1(1), v_set1(0)))
OPERATION(op_ne, v_select(v_ne(p, g), v_set1(1), v_set1(0)))
OPERATION(op_select, v_select(v_ne(s[0], v_set1(0)), p, g))
OPERATION(op_max, v_max(p, g))
OPERATION(op_min, v_min(p, g))
OPERATION(op_sign, v_sign(p))
OPERATION(op_flush, v_flush(p))
OPERATION(op_set1, v_add(v_add(h[0], h[1]), h[2]))

/* Four states, each written. */
TS_INLINE vf TS_FN(op_states)(vf p, vf g, vf *s, const vf *h) {
    const vf first = s[0];
    (void)h;
    s[0] = s[1];
    s[1] = s[2];
    s[2] = v_add(s[3], g);
    s[3] = first;
    return p;
}
/* Two states that are largest where nothing was. */
TS_INLINE vf TS_FN(op_inverse)(vf p, vf g, vf *s, const vf *h) {
    (void)g;
    s[0] = v_div(h[0], v_add(s[0], v_set1(1)));
    s[1] = v_sub(h[0], s[1]);
    return p;
}
#undef OPERATION
#endif
