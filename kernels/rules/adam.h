/* Adam and AdamW; the same equations, in the same order, as trainstation/optimizers/adam.py.
 * s: exp_avg, exp_avg_sq [, max_exp_avg_sq]
 * h: decay, 1-beta1, beta2, 1-beta2, lr/(1-beta1^t), 1/sqrt(1-beta2^t), eps
 *    decay is weight_decay for Adam and 1-lr*weight_decay for AdamW */

TS_INLINE void TS_FN(adam_moments)(vf g, vf *s, const vf *h) {
    s[0] = v_flush(v_add(s[0], v_mul(h[1], v_sub(g, s[0]))));
    s[1] = v_flush(v_add(v_mul(h[2], s[1]), v_mul(v_mul(h[3], g), g)));
}

TS_INLINE vf TS_FN(adam_move)(vf p, vf m, vf v, const vf *h) {
    vf denom = v_add(v_mul(v_sqrt(v), h[5]), h[6]);
    return v_sub(p, v_div(v_mul(h[4], m), denom));
}

TS_INLINE vf TS_FN(adam)(vf p, vf g, vf *s, const vf *h) {
    TS_FN(adam_moments)(TS_FN(l2)(p, g, h[0]), s, h);
    return TS_FN(adam_move)(p, s[0], s[1], h);
}

TS_INLINE vf TS_FN(adam_amsgrad)(vf p, vf g, vf *s, const vf *h) {
    TS_FN(adam_moments)(TS_FN(l2)(p, g, h[0]), s, h);
    s[2] = v_max(s[2], s[1]);
    return TS_FN(adam_move)(p, s[0], s[2], h);
}

TS_INLINE vf TS_FN(adamw)(vf p, vf g, vf *s, const vf *h) {
    TS_FN(adam_moments)(g, s, h);
    return TS_FN(adam_move)(v_mul(p, h[0]), s[0], s[1], h);
}

TS_INLINE vf TS_FN(adamw_amsgrad)(vf p, vf g, vf *s, const vf *h) {
    TS_FN(adam_moments)(g, s, h);
    s[2] = v_max(s[2], s[1]);
    return TS_FN(adam_move)(v_mul(p, h[0]), s[0], s[2], h);
}
