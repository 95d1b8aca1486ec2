/* SGD; the same equations, in the same order, as trainstation/optimizers/sgd.py.
 * s: [momentum_buffer]
 * h: weight_decay, the two factors of the buffer, Nesterov's factor of it or 0, lr */

TS_INLINE vf TS_FN(sgd)(vf p, vf g, vf *s, const vf *h) {
    (void)s;
    return v_sub(p, v_mul(h[4], TS_FN(l2)(p, g, h[0])));
}

TS_INLINE vf TS_FN(sgd_momentum)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(l2)(p, g, h[0]);
    s[0] = v_flush(v_add(v_mul(h[1], s[0]), v_mul(h[2], g)));
    g = v_select(v_ne(h[3], v_set1(0)), v_add(g, v_mul(h[3], s[0])), s[0]);
    return v_sub(p, v_mul(h[4], g));
}
