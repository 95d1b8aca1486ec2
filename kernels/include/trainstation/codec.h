/* How float states are kept in 16 or 8 bits. The same text in NumPy: trainstation/optimizers/stepping/codec.py.
 *
 * Every rounding is stochastic, from a hash of (element, t): rounded to nearest, v * 0.999 would never decay.
 *   bfloat16   the upper half of the float
 *   8 bit      TS_BLOCK elements share a power of two 2^(scale-127), the binade of the largest; an element is
 *              exponent and 3 bits of mantissa: TS_POSITIVE has 31 binades, TS_SIGNED a sign and 15. Code 0 is zero.
 * A positive value never becomes zero: it stays at the smallest code. */

typedef v32_u vu;
typedef v16_u vh; /* two vectors' worth of 16-bit lanes: codes are handled in pairs of vectors */
typedef struct {
    v32_t low, high;
} ts_pair;

enum { ts_pair_lanes = 2 * v32_lanes };
enum { TS_LEAST_SCALE = 31 }; /* so that every code is a normal float */
#define TS_WEYL UINT32_C(0x9e379e37) /* both halves are near the golden ratio */

/* Keyed by the step and the upper half of the index (chunks do not cross multiples of 2^32 elements). */
TS_INLINE uint32_t ts_codec_key(int64_t t, int64_t begin) {
    uint64_t x = (uint64_t)t * UINT64_C(0x9e3779b97f4a7c15) + ((uint64_t)begin >> 32);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x ^ x >> 31);
}

/* An element's numbers over the steps are independent, for the keys are. The multiplication keeps elements from being
 * rounded alike at every step. */
TS_INLINE vu ts_codec_hash(uint32_t key, int64_t i) {
    const vu lane = u32_mul(u32_lane(), u32_set1(TS_WEYL));
    const vu x = u32_xor(u32_add(u32_set1((uint32_t)i * TS_WEYL), lane), u32_set1(key));
    return u32_mul(u32_xor(x, u32_shr(x, 16)), u32_set1(0x7feb352d));
}

TS_INLINE vu ts_codec_random(vu hash, int k, int bits) {
    const int shift = k == 0 ? 0 : k == 1 ? 32 - bits : k == 2 ? 8 : 4;
    if (k == 1) return u32_shr(hash, shift);
    return u32_and(shift ? u32_shr(hash, shift) : hash, u32_set1((1u << bits) - 1));
}

/* The upper halves of magnitudes after `add` was added to them; not beyond a NaN. */
TS_INLINE vh ts_codec_upper(vu low, vu high, vu add_low, vu add_high) {
    return u16_min_unsigned(u16_join(u32_add(low, add_low), u32_add(high, add_high)), u16_set1(0x7fff));
}

/* What a positive state must not fall below: `least` where it is more than zero. */
TS_INLINE vh ts_codec_floor(vu low, vu high, int least) {
    const vu almost_one = u32_set1(0xffff);
    return u16_min(u16_join(u32_add(low, almost_one), u32_add(high, almost_one)), u16_set1((uint16_t)least));
}

TS_INLINE vu ts_codec_magnitude(v32_t x) { return u32_and(u32_bits(x), u32_set1(0x7fffffff)); }

TS_INLINE vh ts_codec_sign(ts_pair x) {
    return u16_and(u16_join(u32_bits(x.low), u32_bits(x.high)), u16_set1(0x8000));
}

TS_INLINE ts_pair ts_bfloat16_decode(vh code) {
    return (ts_pair){u32_float(u16_low(code)), u32_float(u16_high(code))};
}

TS_INLINE vh ts_bfloat16_encode(int kind, ts_pair x, vu random_low, vu random_high) {
    const vu low = ts_codec_magnitude(x.low), high = ts_codec_magnitude(x.high);
    const vh code = ts_codec_upper(low, high, random_low, random_high);
    return kind == TS_POSITIVE ? u16_max(code, ts_codec_floor(low, high, 1)) : u16_or(code, ts_codec_sign(x));
}

/* The scale of a block whose largest magnitude is max: room for it to be rounded up. */
TS_INLINE uint32_t ts_8bit_scale(uint32_t max) {
    const uint32_t scale = (max + 0xfffff) >> 23;
    return scale < TS_LEAST_SCALE ? TS_LEAST_SCALE : scale > 255 ? 255 : scale;
}

TS_INLINE ts_pair ts_8bit_decode(int kind, vh code, uint32_t scale) {
    if (kind == TS_POSITIVE) {
        const vh value = u16_add(u16_shl(code, 4), u16_set1((uint16_t)((scale - 31) << 7)));
        return ts_bfloat16_decode(u16_keep(code, value));
    } else {
        const vh size = u16_shl(u16_and(code, u16_set1(127)), 4);
        const vh value = u16_keep(size, u16_add(size, u16_set1((uint16_t)((scale - 15) << 7))));
        return ts_bfloat16_decode(u16_or(value, u16_shl(u16_and(code, u16_set1(128)), 8)));
    }
}

/* The least code or zero, with the probability that keeps the mean, for a magnitude below the least code's. */
TS_INLINE vu ts_8bit_small(vu size, vu least, vu random) {
    const v32_t sum = v32_add(u32_float(size), u32_float(u32_or(least, u32_shl(random, 3))));
    return u32_shl(u32_and(u32_shr(u32_sub(u32_bits(sum), least), 20), u32_set1(8)), 16);
}

TS_INLINE vh ts_8bit_encode(int kind, ts_pair x, uint32_t scale, vu random_low, vu random_high) {
    const vu low = ts_codec_magnitude(x.low), high = ts_codec_magnitude(x.high);
    const vh base = u16_set1((uint16_t)((scale - (kind == TS_POSITIVE ? 31 : 15)) << 7));
    vh code = u16_sra(u16_sub(ts_codec_upper(low, high, random_low, random_high), base), 4);
    if (kind == TS_POSITIVE) return u16_max(code, ts_codec_floor(low, high, 8));

    const vu least = u32_set1((scale - 14) << 23);
    code = u16_min(code, u16_set1(127));
    if (u32_any(u32_gt(least, low)) || u32_any(u32_gt(least, high))) {
        const vu small_low = ts_8bit_small(low, least, random_low), small_high = ts_8bit_small(high, least, random_high);
        const vu zero = u32_set1(0), all = u32_set1(0xffffffff);
        const vh is_small = u16_join(u32_select(u32_gt(least, low), all, zero), u32_select(u32_gt(least, high), all, zero));
        code = u16_select(is_small, u16_join(small_low, small_high), code);
    }
    return u16_or(code, u16_shr(ts_codec_sign(x), 8));
}
