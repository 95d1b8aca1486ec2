/* RMSprop; the same equations, in the same order, as trainstation/optimizers/rmsprop.py.
 * s: square_avg [, grad_avg] [, momentum_buffer]
 * h: weight_decay, alpha, 1-alpha, eps, momentum, lr */

TS_INLINE vf TS_FN(rmsprop_root)(vf g, vf *s, const vf *h) {
    s[0] = v_flush(v_add(v_mul(h[1], s[0]), v_mul(v_mul(h[2], g), g)));
    return v_add(v_sqrt(s[0]), h[3]);
}

TS_INLINE vf TS_FN(rmsprop_centered_root)(vf g, vf *s, const vf *h) {
    s[0] = v_flush(v_add(v_mul(h[1], s[0]), v_mul(v_mul(h[2], g), g)));
    s[1] = v_flush(v_add(s[1], v_mul(h[2], v_sub(g, s[1]))));
    return v_add(v_sqrt(v_max(v_sub(s[0], v_mul(s[1], s[1])), v_set1(0))), h[3]);
}

TS_INLINE vf TS_FN(rmsprop_coast)(vf p, vf g, vf root, vf *buffer, const vf *h) {
    *buffer = v_flush(v_add(v_mul(h[4], *buffer), v_div(g, root)));
    return v_sub(p, v_mul(h[5], *buffer));
}

TS_INLINE vf TS_FN(rmsprop)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(l2)(p, g, h[0]);
    return v_sub(p, v_div(v_mul(h[5], g), TS_FN(rmsprop_root)(g, s, h)));
}

TS_INLINE vf TS_FN(rmsprop_centered)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(l2)(p, g, h[0]);
    return v_sub(p, v_div(v_mul(h[5], g), TS_FN(rmsprop_centered_root)(g, s, h)));
}

TS_INLINE vf TS_FN(rmsprop_momentum)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(l2)(p, g, h[0]);
    return TS_FN(rmsprop_coast)(p, g, TS_FN(rmsprop_root)(g, s, h), &s[1], h);
}

TS_INLINE vf TS_FN(rmsprop_centered_momentum)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(l2)(p, g, h[0]);
    return TS_FN(rmsprop_coast)(p, g, TS_FN(rmsprop_centered_root)(g, s, h), &s[2], h);
}
