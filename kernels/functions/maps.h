/* Functions of one element and their gradients, once for each element type: f(a, b, h), where b is the gradient of
 * the result if there is one, and h a number. The list is what the enumeration of kernels.h is made of. */

#define TS_ZERO v_set1(0)
#define TS_ONE v_set1(1)
#define TS_MAP(name) TS_INLINE vf TS_FUN(name)(vf a, vf b, vf h)

TS_MAP(lerp) { return v_add(a, v_mul(h, v_sub(b, a))); } /* from a towards b */
TS_MAP(relu) {
    (void)b, (void)h;
    return v_select(v_gt(TS_ZERO, a), TS_ZERO, a); /* a NaN stays */
}
TS_MAP(relu_grad) { /* of the value */
    (void)h;
    return v_select(v_gt(a, TS_ZERO), b, TS_ZERO);
}
TS_MAP(leaky_relu) {
    (void)b;
    return v_select(v_gt(a, TS_ZERO), a, v_mul(a, h));
}
TS_MAP(leaky_relu_grad) { /* of the input */
    return v_select(v_gt(a, TS_ZERO), b, v_mul(b, h));
}
TS_MAP(tanh_grad) { /* of the value */
    (void)h;
    return v_mul(b, v_sub(TS_ONE, v_mul(a, a)));
}
TS_INLINE vf TS_FUN(logistic)(vf a) {
    return v_div(TS_ONE, v_add(TS_ONE, TS_FUN(exp)(v_sub(TS_ZERO, a)))); /* 1 / inf where exp overflows */
}
TS_MAP(sigmoid) {
    (void)b, (void)h;
    return TS_FUN(logistic)(a);
}
TS_MAP(sigmoid_grad) { /* of the value */
    (void)h;
    return v_mul(v_mul(b, a), v_sub(TS_ONE, a));
}
TS_MAP(silu) {
    (void)b, (void)h;
    return v_mul(a, TS_FUN(logistic)(a));
}
TS_MAP(silu_grad) { /* of the input: s + a s (1 - s) */
    (void)h;
    const vf s = TS_FUN(logistic)(a);
    return v_mul(b, v_mul(s, v_add(TS_ONE, v_mul(a, v_sub(TS_ONE, s)))));
}
TS_MAP(softplus) { /* max(a, 0) + log(1 + exp(-|a|)) */
    (void)b, (void)h;
    const vf minus = v_sub(TS_ZERO, a);
    const vf u = TS_FUN(exp)(v_select(v_gt(a, TS_ZERO), minus, a));
    return v_add(v_select(v_gt(TS_ZERO, a), TS_ZERO, a), TS_FUN(log1p)(u));
}
TS_MAP(softplus_grad) { /* of the input */
    (void)h;
    return v_mul(b, TS_FUN(logistic)(a));
}
TS_MAP(erf_of) {
    (void)b, (void)h;
    return TS_FUN(erf)(a);
}
TS_MAP(erf_grad) { /* of the input: 2 / sqrt(pi) exp(-a^2) */
    (void)h;
    return v_mul(v_mul(b, v_set1((v_elem)1.1283791670955126)), TS_FUN(exp)(v_sub(TS_ZERO, v_mul(a, a))));
}

/* The normal distribution up to a, and exp(-a^2 / 2). */
TS_INLINE vf TS_FUN(normal)(vf a, vf *decay) {
    const vf size = v_select(v_gt(TS_ZERO, a), v_sub(TS_ZERO, a), a);
    *decay = TS_FUN(exp)(v_mul(v_mul(a, a), v_set1((v_elem)-0.5)));
    const vf tail = v_mul(v_set1((v_elem)0.5),
                          TS_FUN(erfc)(v_mul(size, v_set1((v_elem)0.7071067811865476)), *decay));
    return v_select(v_gt(a, TS_ZERO), v_sub(TS_ONE, tail), tail);
}
TS_MAP(gelu) {
    (void)b, (void)h;
    vf decay;
    return v_mul(a, TS_FUN(normal)(a, &decay));
}
TS_MAP(gelu_grad) { /* of the input: Phi + a phi */
    (void)h;
    vf decay;
    const vf below = TS_FUN(normal)(a, &decay);
    return v_mul(b, v_add(below, v_mul(v_mul(a, decay), v_set1((v_elem)0.3989422804014327))));
}

/* gelu with tanh: a s(2u), u = sqrt(2 / pi) (a + 0.044715 a^3), for (1 + tanh(u)) / 2 is the logistic function s(2u). */
TS_INLINE vf TS_FUN(twice_u)(vf a) {
    const vf cubic = v_add(TS_ONE, v_mul(v_set1((v_elem)0.044715), v_mul(a, a)));
    return v_mul(v_mul(a, v_set1((v_elem)1.5957691216057308)), cubic);
}
TS_MAP(gelu_tanh) {
    (void)b, (void)h;
    return v_mul(a, TS_FUN(logistic)(TS_FUN(twice_u)(a)));
}
TS_MAP(gelu_tanh_grad) { /* s + a s (1 - s) (2u)' */
    (void)h;
    const vf s = TS_FUN(logistic)(TS_FUN(twice_u)(a));
    const vf slope = v_mul(v_set1((v_elem)1.5957691216057308),
                           v_add(TS_ONE, v_mul(v_set1((v_elem)0.134145), v_mul(a, a))));
    return v_mul(b, v_add(s, v_mul(v_mul(a, slope), v_mul(s, v_sub(TS_ONE, s)))));
}
