/* Lion; the same equations, in the same order, as src/trainstation_lion/lion.py.
 * s: exp_avg
 * h: 1-lr*weight_decay, beta1, 1-beta1, beta2, 1-beta2, lr */
#define TS_RULE_LIST(X) X(lion, 1, 6, TS_KINDS(TS_SIGNED, 0, 0, 0))

#ifndef TS_RULE_LIST_ONLY
TS_INLINE vf TS_FN(lion)(vf p, vf g, vf *s, const vf *h) {
    const vf c = v_add(v_mul(h[1], s[0]), v_mul(h[2], g));
    s[0] = v_flush(v_add(v_mul(h[3], s[0]), v_mul(h[4], g)));
    return v_sub(v_mul(p, h[0]), v_mul(h[5], v_sign(c)));
}
#endif
