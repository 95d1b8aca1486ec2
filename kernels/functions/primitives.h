/* Exponentials on vectors, once for each element type. Of floats by polynomials (fit.py has them), within some 2e-7 of
 * the value; of doubles by libm, element by element: double is for checking, not for speed. */

#if TS_BITS == 32
#define TS_P(x, c) v_add(v_mul(p, x), v_set1(c)) /* one more term of Horner's scheme */

/* 2^n for whole n in -126 .. 127, given as 1.5 * 2^23 + n. */
TS_INLINE vf TS_FUN(power_of_two)(vf shifted) {
    return u32_float(u32_shl(u32_add(u32_bits(shifted), u32_set1(127u)), 23));
}

/* exp(x): x = n * log(2) + r with |r| <= log(2) / 2. Adding 1.5 * 2^23 rounds to a whole number; log(2) is taken off in
 * two parts, the first of so few bits that n times it is exact; 2^n is put on in two factors, for n may be 128. What
 * would be subnormal is 0: processors take a hundred cycles for such a product. */
TS_INLINE vf TS_FUN(exp)(vf given) {
    const vf shift = v_set1(12582912.0f), most = v_set1(89.0f), least = v_set1(-87.3365f);
    vf x = v_select(v_gt(given, most), most, given);
    x = v_select(v_gt(least, x), least, x);
    const vf n = v_sub(v_add(v_mul(x, v_set1(1.44269504f)), shift), shift);
    const vf r = v_sub(v_sub(x, v_mul(n, v_set1(0.693359375f))), v_mul(n, v_set1(-2.12194440e-4f)));
    const vf half = v_add(v_mul(n, v_set1(0.5f)), shift);
    const vf rest = v_add(v_sub(n, v_sub(half, shift)), shift);
    vf p = v_set1(0.0013901281f);
    p = TS_P(r, 0.00836314037f);
    p = TS_P(r, 0.0416668534f);
    p = TS_P(r, 0.166665773f);
    p = TS_P(r, 0.499999996f);
    p = v_add(v_add(v_mul(p, v_mul(r, r)), r), v_set1(1.0f));
    const vf y = v_mul(v_mul(p, TS_FUN(power_of_two)(half)), TS_FUN(power_of_two)(rest));
    return v_select(v_gt(least, given), v_set1(0), y);
}

/* erfc(x) for x >= 0, given exp(-x^2). */
TS_INLINE vf TS_FUN(erfc)(vf x, vf decay) {
    const vf t = v_div(v_set1(1.0f), v_add(v_set1(1.0f), v_mul(x, v_set1(0.5f))));
    vf p = v_set1(0.0122838764f);
    p = TS_P(t, -0.123254689f);
    p = TS_P(t, 0.4289284f);
    p = TS_P(t, -0.670022462f);
    p = TS_P(t, 0.421274261f);
    p = TS_P(t, -0.098317628f);
    p = TS_P(t, 0.225541852f);
    p = TS_P(t, 0.238644836f);
    p = TS_P(t, 0.282857036f);
    p = TS_P(t, 0.282064499f);
    return v_mul(v_mul(p, t), decay);
}

TS_INLINE vf TS_FUN(erf)(vf x) {
    const vf zero = v_set1(0.0f), square = v_mul(x, x), size = v_select(v_gt(zero, x), v_sub(zero, x), x);
    const vf far = v_sub(v_set1(1.0f), TS_FUN(erfc)(size, TS_FUN(exp)(v_sub(zero, square))));
    vf p = v_set1(7.85385767e-05f);
    p = TS_P(square, -0.000801019251f);
    p = TS_P(square, 0.00518832756f);
    p = TS_P(square, -0.0268538119f);
    p = TS_P(square, 0.112835851f);
    p = TS_P(square, -0.376126258f);
    p = TS_P(square, 1.12837917f);
    return v_select(v_gt(size, v_set1(1.0f)), v_select(v_gt(zero, x), v_sub(zero, far), far), v_mul(p, x));
}

/* log(1 + u) for 0 <= u <= 1. */
TS_INLINE vf TS_FUN(log1p)(vf u) {
    vf p = v_set1(-0.00324398086f);
    p = TS_P(u, 0.0198512626f);
    p = TS_P(u, -0.0569591591f);
    p = TS_P(u, 0.106036169f);
    p = TS_P(u, -0.153055701f);
    p = TS_P(u, 0.196759315f);
    p = TS_P(u, -0.249541321f);
    p = TS_P(u, 0.333299623f);
    p = TS_P(u, -0.499999024f);
    p = TS_P(u, 0.999999995f);
    return v_mul(p, u);
}
#undef TS_P
#else
TS_INLINE vf TS_FUN(each)(double (*function)(double), vf x) {
    double lane[v_lanes];
    v_store(lane, x);
    for (int j = 0; j < v_lanes; j++) lane[j] = function(lane[j]);
    return v_load(lane);
}
TS_INLINE vf TS_FUN(exp)(vf x) { return TS_FUN(each)(exp, x); }
TS_INLINE vf TS_FUN(erf)(vf x) { return TS_FUN(each)(erf, x); }
TS_INLINE vf TS_FUN(log1p)(vf x) { return TS_FUN(each)(log1p, x); }
TS_INLINE vf TS_FUN(erfc)(vf x, vf decay) {
    (void)decay;
    return TS_FUN(each)(erfc, x);
}
#endif
