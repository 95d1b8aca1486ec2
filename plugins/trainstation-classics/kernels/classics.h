/* The classics; the same equations, in the same order, as the modules of src/trainstation_classics. */
#define TS_RULE_LIST(X)                                                                                      \
    X(classics_adagrad, 1, 4, TS_KINDS(TS_POSITIVE, 0, 0, 0))                                                \
    X(classics_adadelta, 2, 5, TS_KINDS(TS_POSITIVE, TS_POSITIVE, 0, 0))                                     \
    X(classics_adamax, 2, 5, TS_KINDS(TS_SIGNED, TS_POSITIVE, 0, 0))                                         \
    X(classics_nadam, 2, 9, TS_KINDS(TS_SIGNED, TS_POSITIVE, 0, 0))                                          \
    X(classics_radam, 2, 8, TS_KINDS(TS_SIGNED, TS_POSITIVE, 0, 0))                                          \
    X(classics_asgd, 1, 4, TS_KINDS(TS_EXACT, 0, 0, 0))                                                      \
    X(classics_rprop, 2, 5, TS_KINDS(TS_SIGNED, TS_POSITIVE, 0, 0))

#ifndef TS_RULE_LIST_ONLY
/* Without decay the gradient is left alone: 0 * p would turn an infinite p into NaN. */
TS_INLINE vf TS_FN(classics_l2)(vf p, vf g, vf weight_decay) {
    return v_select(v_ne(weight_decay, v_set1(0)), v_add(g, v_mul(weight_decay, p)), g);
}

/* s: sum
 * h: weight_decay, initial_accumulator_value, lr/(1+(t-1)*lr_decay), eps */
TS_INLINE vf TS_FN(classics_adagrad)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(classics_l2)(p, g, h[0]);
    s[0] = v_add(v_max(s[0], h[1]), v_mul(g, g));
    return v_sub(p, v_div(v_mul(h[2], g), v_add(v_sqrt(s[0]), h[3])));
}

/* s: square_avg, acc_delta
 * h: weight_decay, rho, 1-rho, eps, lr */
TS_INLINE vf TS_FN(classics_mean_square)(vf average, vf x, const vf *h) {
    return v_flush(v_add(v_mul(h[1], average), v_mul(v_mul(h[2], x), x)));
}

TS_INLINE vf TS_FN(classics_adadelta)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(classics_l2)(p, g, h[0]);
    s[0] = TS_FN(classics_mean_square)(s[0], g, h);
    const vf delta = v_mul(v_div(v_sqrt(v_add(s[1], h[3])), v_sqrt(v_add(s[0], h[3]))), g);
    s[1] = TS_FN(classics_mean_square)(s[1], delta, h);
    return v_sub(p, v_mul(h[4], delta));
}

/* s: exp_avg, exp_inf
 * h: weight_decay, 1-beta1, beta2, eps, lr/(1-beta1^t) */
TS_INLINE vf TS_FN(classics_adamax)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(classics_l2)(p, g, h[0]);
    const vf size = v_max(g, v_sub(v_set1(0), g));
    s[0] = v_flush(v_add(s[0], v_mul(h[1], v_sub(g, s[0]))));
    s[1] = v_max(v_mul(h[2], s[1]), v_add(size, h[3]));
    return v_sub(p, v_div(v_mul(h[4], s[0]), s[1]));
}

/* s: exp_avg, exp_avg_sq
 * h: weight_decay, factor of p, 1-beta1, beta2, 1-beta2, what follows at the rules */
TS_INLINE void TS_FN(classics_moments)(vf g, vf *s, const vf *h) {
    s[0] = v_flush(v_add(s[0], v_mul(h[2], v_sub(g, s[0]))));
    s[1] = v_flush(v_add(v_mul(h[3], s[1]), v_mul(v_mul(h[4], g), g)));
}

/* lr*(1-mu)/(1-product), lr*mu_next/(1-product*mu_next), 1/sqrt(1-beta2^t), eps */
TS_INLINE vf TS_FN(classics_nadam)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(classics_l2)(p, g, h[0]);
    TS_FN(classics_moments)(g, s, h);
    const vf denom = v_add(v_mul(v_sqrt(s[1]), h[7]), h[8]);
    const vf ahead = v_add(v_mul(h[5], g), v_mul(h[6], s[0]));
    return v_sub(v_mul(p, h[1]), v_div(ahead, denom));
}

/* step size, whether it is rectified, eps */
TS_INLINE vf TS_FN(classics_radam)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(classics_l2)(p, g, h[0]);
    TS_FN(classics_moments)(g, s, h);
    const vf denom = v_select(v_ne(h[6], v_set1(0)), v_add(v_sqrt(s[1]), h[7]), v_set1(1));
    return v_sub(v_mul(p, h[1]), v_div(v_mul(h[5], s[0]), denom));
}

/* s: ax
 * h: weight_decay, 1-lambd*eta, eta, mu */
TS_INLINE vf TS_FN(classics_asgd)(vf p, vf g, vf *s, const vf *h) {
    g = TS_FN(classics_l2)(p, g, h[0]);
    p = v_sub(v_mul(p, h[1]), v_mul(h[2], g));
    s[0] = v_select(v_ne(h[3], v_set1(1)), v_add(s[0], v_mul(h[3], v_sub(p, s[0]))), p);
    return p;
}

/* s: prev, step_size
 * h: the first step size (at t = 1, else 0), etaminus, etaplus, smallest and largest step size */
TS_INLINE vf TS_FN(classics_rprop)(vf p, vf g, vf *s, const vf *h) {
    const vf zero = v_set1(0), agreement = v_mul(g, s[0]);
    const vf shrink = v_select(v_gt(zero, agreement), h[1], v_set1(1));
    const vf factor = v_select(v_gt(agreement, zero), h[2], shrink);
    s[0] = v_select(v_gt(zero, agreement), zero, v_sign(g));
    s[1] = v_min(v_max(v_mul(v_add(s[1], h[0]), factor), h[3]), h[4]);
    return v_sub(p, v_mul(s[0], s[1]));
}
#endif
