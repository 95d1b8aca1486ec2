/* The part of loop.h for float parameters whose states are kept narrower (codec.h). */
#include "trainstation/codec.h"

/* The states of a rule are few and known: no loop is left of them. */
#define TS_UNROLL _Pragma("GCC unroll 4")

/* A rule and what is known of it when this is compiled; then the arrays. */
#define TS_OF_RULE ts_own_rule_32 *rule, int n_states, int kinds
#define TS_RULE_GIVEN rule, n_states, kinds
#define TS_OF_SLOT float *p, const float *g, void *const *state, const vf *h, vf factor
#define TS_SLOT_GIVEN p, g, state, h, factor

/* Two vectors, or n elements of them. A part of no element is not touched. */
TS_INLINE int64_t ts_first(int64_t n) { return n < v_lanes ? n : v_lanes; }
TS_INLINE ts_pair ts_read_pair(const float *a, int64_t n) {
    return (ts_pair){ts_own_read_32(a, ts_first(n)), ts_own_read_32(a + ts_first(n), n - ts_first(n))};
}
TS_INLINE void ts_write_pair(float *a, ts_pair x, int64_t n) {
    ts_own_write_32(a, x.low, ts_first(n));
    ts_own_write_32(a + ts_first(n), x.high, n - ts_first(n));
}

/* n codes of 16 or of 8 bits. */
TS_INLINE vh ts_read_codes(const void *a, int64_t i, int64_t n, int is_8bit) {
    const int size = is_8bit ? 1 : 2;
    const uint8_t *from = (const uint8_t *)a + i * size;
    uint8_t part[2 * ts_pair_lanes] = {0};
    if (n != ts_pair_lanes) {
        for (int64_t j = 0; j < n * size; j++) part[j] = from[j];
        from = part;
    }
    return is_8bit ? u16_load8(from) : u16_load(from);
}
TS_INLINE void ts_write_codes(void *a, int64_t i, vh x, int64_t n, int is_8bit) {
    const int size = is_8bit ? 1 : 2;
    uint8_t *to = (uint8_t *)a + i * size, part[2 * ts_pair_lanes];
    if (is_8bit)
        u16_store8(n == ts_pair_lanes ? to : part, x);
    else
        u16_store(n == ts_pair_lanes ? to : part, x);
    for (int64_t j = 0; n != ts_pair_lanes && j < n * size; j++) to[j] = part[j];
}

/* Decodes the states of n elements and applies the rule. */
TS_INLINE void ts_stored_step(TS_OF_RULE, TS_OF_SLOT, const uint32_t *scale, ts_pair *s, int64_t i, int64_t n) {
    vf low[TS_MAX_STATES], high[TS_MAX_STATES];
    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        const int kind = TS_KIND(kinds, k);
        s[k] = kind == TS_EXACT ? ts_read_pair((const float *)state[k] + i, n)
               : scale          ? ts_8bit_decode(kind, ts_read_codes(state[k], i, n, 1), scale[k])
                                : ts_bfloat16_decode(ts_read_codes(state[k], i, n, 0));
        low[k] = s[k].low;
        high[k] = s[k].high;
    }
    const ts_pair at = ts_read_pair(p + i, n), slope = ts_read_pair(g + i, n);
    const ts_pair moved = {rule(at.low, v_mul(slope.low, factor), low, h), rule(at.high, v_mul(slope.high, factor), high, h)};
    ts_write_pair(p + i, moved, n);
    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        s[k] = (ts_pair){low[k], high[k]};
        if (TS_KIND(kinds, k) == TS_EXACT) ts_write_pair((float *)state[k] + i, s[k], n);
    }
}

TS_INLINE void ts_bfloat16_pair(TS_OF_RULE, TS_OF_SLOT, uint32_t key, int64_t i, int64_t n) {
    const vu low = ts_codec_hash(key, i), high = ts_codec_hash(key, i + v_lanes);
    ts_pair s[TS_MAX_STATES];
    ts_stored_step(TS_RULE_GIVEN, TS_SLOT_GIVEN, 0, s, i, n);
    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        const int kind = TS_KIND(kinds, k);
        if (kind == TS_EXACT) continue;
        const vh code = ts_bfloat16_encode(kind, s[k], ts_codec_random(low, k, 16), ts_codec_random(high, k, 16));
        ts_write_codes(state[k], i, code, n, 0);
    }
}

/* A block is stepped whole before its states are encoded, for they share a scale that is known only then: this steps a
 * pair of it, and keeps its states in `value` and their magnitudes in `largest`. */
TS_INLINE void ts_8bit_step(TS_OF_RULE, TS_OF_SLOT, const uint32_t *scale, float (*value)[TS_BLOCK], vu *largest,
                            int64_t begin, int64_t at, int64_t n) {
    ts_pair s[TS_MAX_STATES];
    ts_stored_step(TS_RULE_GIVEN, TS_SLOT_GIVEN, scale, s, begin + at, n);
    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        if (TS_KIND(kinds, k) == TS_EXACT) continue;
        if (n != ts_pair_lanes) { /* what lies behind the end has no say */
            ts_write_pair(value[k] + at, (ts_pair){v_set1(0), v_set1(0)}, ts_pair_lanes);
            ts_write_pair(value[k] + at, s[k], n);
            s[k] = ts_read_pair(value[k] + at, ts_pair_lanes);
        }
        ts_write_pair(value[k] + at, s[k], ts_pair_lanes);
        largest[k] = u32_max(largest[k], ts_codec_magnitude(s[k].low));
        largest[k] = u32_max(largest[k], ts_codec_magnitude(s[k].high));
    }
}

TS_INLINE void ts_8bit_keep(int n_states, int kinds, void *const *state, const uint32_t *scale,
                            float (*value)[TS_BLOCK], uint32_t key, int64_t begin, int64_t at, int64_t n) {
    const vu low = ts_codec_hash(key, begin + at), high = ts_codec_hash(key, begin + at + v_lanes);
    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        const int kind = TS_KIND(kinds, k);
        if (kind == TS_EXACT) continue;
        const vh code = ts_8bit_encode(kind, ts_read_pair(value[k] + at, ts_pair_lanes), scale[k],
                                       ts_codec_random(low, k, 20), ts_codec_random(high, k, 20));
        ts_write_codes(state[k], begin + at, code, n, 1);
    }
}

TS_INLINE void ts_8bit_block(TS_OF_RULE, TS_OF_SLOT, uint8_t *const *scales, uint32_t key, int64_t begin, int64_t n) {
    const int64_t whole = n / ts_pair_lanes * ts_pair_lanes;
    float value[TS_MAX_STATES][TS_BLOCK];
    uint32_t scale[TS_MAX_STATES] = {0};
    vu largest[TS_MAX_STATES];
    int64_t at;

    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        if (TS_KIND(kinds, k) != TS_EXACT) scale[k] = scales[k][begin / TS_BLOCK];
        largest[k] = u32_set1(0);
    }
    for (at = 0; at < whole; at += ts_pair_lanes)
        ts_8bit_step(TS_RULE_GIVEN, TS_SLOT_GIVEN, scale, value, largest, begin, at, ts_pair_lanes);
    if (at < n) ts_8bit_step(TS_RULE_GIVEN, TS_SLOT_GIVEN, scale, value, largest, begin, at, n - at);
    TS_UNROLL
    for (int k = 0; k < n_states; k++) {
        if (TS_KIND(kinds, k) == TS_EXACT) continue;
        scale[k] = ts_8bit_scale(u32_largest(largest[k]));
        scales[k][begin / TS_BLOCK] = (uint8_t)scale[k];
    }
    for (at = 0; at < whole; at += ts_pair_lanes)
        ts_8bit_keep(n_states, kinds, state, scale, value, key, begin, at, ts_pair_lanes);
    if (at < n) ts_8bit_keep(n_states, kinds, state, scale, value, key, begin, at, n - at);
}

TS_INLINE void ts_stored_loop(TS_OF_RULE, int n_scalars, int is_8bit, const ts_slot *slot, double gscale,
                              int64_t begin, int64_t end) {
    float *p = (float *)slot->p;
    const float *g = (const float *)slot->g;
    void *state[TS_MAX_STATES] = {0};
    uint8_t *scales[TS_MAX_STATES] = {0};
    vf h[TS_MAX_SCALARS];
    const vf factor = v_set1((float)gscale);
    const uint32_t key = ts_codec_key(slot->scalars->t, begin);
    int64_t i = begin;

    TS_UNROLL
    for (int k = 0; k < n_states; k++) state[k] = slot->state[k], scales[k] = slot->scale[k];
    for (int k = 0; k < n_scalars; k++) h[k] = v_set1((float)slot->scalars->value[k]);
    if (is_8bit) {
        for (; i + TS_BLOCK <= end; i += TS_BLOCK) ts_8bit_block(TS_RULE_GIVEN, TS_SLOT_GIVEN, scales, key, i, TS_BLOCK);
        if (i < end) ts_8bit_block(TS_RULE_GIVEN, TS_SLOT_GIVEN, scales, key, i, end - i);
    } else {
        for (; i + ts_pair_lanes <= end; i += ts_pair_lanes)
            ts_bfloat16_pair(TS_RULE_GIVEN, TS_SLOT_GIVEN, key, i, ts_pair_lanes);
        if (i < end) ts_bfloat16_pair(TS_RULE_GIVEN, TS_SLOT_GIVEN, key, i, end - i);
    }
}

#define TS_STORED_KERNEL(name, n_states, n_scalars, kinds)                                                   \
    static void ts_##name##_loop_bfloat16(const ts_slot *slot, double gscale, int64_t begin, int64_t end) {  \
        ts_stored_loop(ts_##name##_32, n_states, kinds, n_scalars, 0, slot, gscale, begin, end);             \
    }                                                                                                        \
    static void ts_##name##_loop_8bit(const ts_slot *slot, double gscale, int64_t begin, int64_t end) {      \
        ts_stored_loop(ts_##name##_32, n_states, kinds, n_scalars, 1, slot, gscale, begin, end);             \
    }

TS_RULE_LIST(TS_STORED_KERNEL)
