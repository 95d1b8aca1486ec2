/* Between float and the 16-bit codes of bfloat16 and float16, for one instruction set: loops that compilers vectorise,
 * for they have no branch and their numbers have one width. Include a simd header first, and define TS_HALVES, the name
 * of the table that results.
 *
 * A rounding is given a magnitude's bits, and random ones if it is stochastic. All are integers but for float16's
 * subnormal numbers, whose unit is 2^-24. */

enum {
    TS_INFINITY = 0x7f800000,            /* bits of float: beyond it are NaN */
    TS_LEAST_NORMAL = 113 << 23,         /* of float16: 2^-14 */
    TS_REBIAS = 112 << 23,               /* an exponent of float less one of float16 */
    TS_BEYOND_FLOAT16 = (127 + 16) << 23 /* 2^16: the number after the largest, had float16 one more exponent */
};

TS_INLINE uint32_t ts_half_bits(float x) {
    uint32_t bits;
    memcpy(&bits, (const void *)&x, sizeof bits);
    return bits;
}

TS_INLINE float ts_half_float(uint32_t bits) {
    float x;
    memcpy((void *)&x, &bits, sizeof x);
    return x;
}

/* The bits that codec.h draws for an element's second state. */
TS_INLINE uint32_t ts_half_random(uint32_t key, uint32_t i) {
    const uint32_t x = i * UINT32_C(0x9e379e37) ^ key;
    return (x ^ x >> 16) * UINT32_C(0x7feb352d) >> 16;
}

typedef uint32_t ts_widen_fn(uint32_t code);
typedef uint32_t ts_round_fn(int32_t size, uint32_t random);

TS_INLINE uint32_t ts_widen_bfloat16(uint32_t code) { return code << 16; }

TS_INLINE uint32_t ts_widen_float16(uint32_t code) {
    const int32_t size = (int32_t)(code & 0x7fff);
    const uint32_t small = ts_half_bits((float)size * 0x1p-24f), quiet = size > 0x7c00 ? 0x400000 : 0;
    const uint32_t shifted = (uint32_t)(size << 13) + TS_REBIAS, large = shifted + TS_REBIAS;
    const uint32_t found = size < 0x400 ? small : size < 0x7c00 ? shifted : large | quiet;
    return found | (code & 0x8000) << 16;
}

TS_INLINE uint32_t ts_round_bfloat16(int32_t size, uint32_t random) {
    const uint32_t bits = (uint32_t)size, code = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    (void)random;
    return size > TS_INFINITY ? 0x7fc0 : code;
}

TS_INLINE uint32_t ts_draw_bfloat16(int32_t size, uint32_t random) {
    const uint32_t code = ((uint32_t)size + random) >> 16;
    return code < 0x7fff ? code : 0x7fff; /* a NaN stays one */
}

/* All bits if x is less than the limit, else none: unlike a choice, nothing that a compiler turns into a branch. */
TS_INLINE int32_t ts_half_less(int32_t x, int32_t limit) { return (x - limit) >> 31; }

TS_INLINE uint32_t ts_float16_of(int32_t size, int32_t small, int32_t normal) {
    const int32_t is_small = ts_half_less(size, TS_LEAST_NORMAL), is_finite = ts_half_less(size, TS_BEYOND_FLOAT16);
    const int32_t finite = (small & is_small) | (normal & ~is_small);
    const int32_t quiet = ts_half_less(TS_INFINITY, size) & 0x200;
    return (uint32_t)((finite & is_finite) | (0x7c00 & ~is_finite) | quiet);
}

TS_INLINE uint32_t ts_round_float16(int32_t size, uint32_t random) {
    const uint32_t half = UINT32_C(126) << 23; /* 0.5: the least digit of a sum with it is the unit */
    const uint32_t small = ts_half_bits(ts_half_float((uint32_t)size) + 0.5f) - half;
    (void)random;
    return ts_float16_of(size, (int32_t)small, (size - TS_REBIAS + 0xfff + (size >> 13 & 1)) >> 13);
}

/* The number below, or the next one if what is left of the magnitude, in 2^-16 of the gap, is more than the random
 * bits. */
TS_INLINE uint32_t ts_draw_float16(int32_t size, uint32_t random) {
    const uint32_t add = 0xffff - random;
    const float small = ts_half_float((uint32_t)(size & ts_half_less(size, TS_LEAST_NORMAL))) * 0x1p40f;
    const int32_t whole = (int32_t)small, up = (float)whole < small;
    return ts_float16_of(size, (int32_t)(((uint32_t)(whole + up) + add) >> 16),
                         (int32_t)(((uint32_t)(size - TS_REBIAS) * 8 + add) >> 16));
}

TS_INLINE void ts_widen_loop(ts_widen_fn *widen, void *to, const void *from, int64_t n) {
    float *restrict wide = (float *)to;
    const uint16_t *restrict codes = (const uint16_t *)from;
    for (int64_t i = 0; i < n; i++) wide[i] = ts_half_float(widen(codes[i]));
}

TS_INLINE void ts_narrow_loop(ts_round_fn *round, int is_random, void *to, const void *from, uint32_t key, uint32_t first,
                              int64_t n) {
    uint16_t *restrict codes = (uint16_t *)to;
    const float *restrict wide = (const float *)from;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = ts_half_bits(wide[i]);
        const uint32_t random = is_random ? ts_half_random(key, first + (uint32_t)i) : 0;
        codes[i] = (uint16_t)(round((int32_t)(bits & 0x7fffffff), random) | (bits >> 16 & 0x8000));
    }
}

#define TS_HALF_LOOPS(name)                                                                                  \
    static void ts_widen_all_##name(void *to, const void *from, int64_t n) {                                 \
        ts_widen_loop(ts_widen_##name, to, from, n);                                                         \
    }                                                                                                        \
    static void ts_round_all_##name(void *to, const void *from, uint32_t key, uint32_t first, int64_t n) {   \
        ts_narrow_loop(ts_round_##name, 0, to, from, key, first, n);                                         \
    }                                                                                                        \
    static void ts_draw_all_##name(void *to, const void *from, uint32_t key, uint32_t first, int64_t n) {    \
        ts_narrow_loop(ts_draw_##name, 1, to, from, key, first, n);                                          \
    }
TS_HALF_LOOPS(bfloat16)
TS_HALF_LOOPS(float16)

extern const ts_halves TS_HALVES;
const ts_halves TS_HALVES = {
    .widen = {ts_widen_all_bfloat16, ts_widen_all_float16},
    .narrow = {{ts_round_all_bfloat16, ts_round_all_float16}, {ts_draw_all_bfloat16, ts_draw_all_float16}},
};
