/* The same equations, in the same order, as src/trainstation_my_optimizer/my_optimizer.py.
 * s: momentum_buffer
 * h: 1-lr*weight_decay, momentum, 1-momentum, lr */
#define TS_RULE_LIST(X) X(my_optimizer, 1, 4, TS_KINDS(TS_SIGNED, 0, 0, 0))

#ifndef TS_RULE_LIST_ONLY
TS_INLINE vf TS_FN(my_optimizer)(vf p, vf g, vf *s, const vf *h) {
    s[0] = v_flush(v_add(v_mul(h[1], s[0]), v_mul(h[2], g)));
    return v_sub(v_mul(p, h[0]), v_mul(h[3], v_sign(s[0])));
}
#endif
