/* The operations on one element: every processor, and the text that the other headers must agree with. */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <math.h>
#include <string.h>

#define TS_ISA scalar
#define TS_INLINE static inline __attribute__((always_inline))

/* memcpy, because a parameter may start at any byte. flush: what is smaller than a normal number becomes +0. */
#define TS_SCALAR_OPS(BITS, T, SQRT, MIN)                                                                         \
    typedef T v##BITS##_t;                                                                                   \
    typedef T v##BITS##_elem;                                                                                \
    typedef int v##BITS##_mask;                                                                              \
    enum { v##BITS##_lanes = 1 };                                                                            \
    TS_INLINE T v##BITS##_load(const T *a) {                                                                 \
        T x;                                                                                                 \
        memcpy(&x, (const void *)a, sizeof x);                                                               \
        return x;                                                                                            \
    }                                                                                                        \
    TS_INLINE void v##BITS##_store(T *a, T x) { memcpy((void *)a, &x, sizeof x); }                           \
    TS_INLINE T v##BITS##_load_n(const T *a, int64_t n) { return n > 0 ? v##BITS##_load(a) : 0; }            \
    TS_INLINE void v##BITS##_store_n(T *a, T x, int64_t n) {                                                 \
        if (n > 0) v##BITS##_store(a, x);                                                                    \
    }                                                                                                        \
    TS_INLINE T v##BITS##_set1(T x) { return x; }                                                            \
    TS_INLINE T v##BITS##_add(T a, T b) { return a + b; }                                                    \
    TS_INLINE T v##BITS##_sub(T a, T b) { return a - b; }                                                    \
    TS_INLINE T v##BITS##_mul(T a, T b) { return a * b; }                                                    \
    TS_INLINE T v##BITS##_div(T a, T b) { return a / b; }                                                    \
    TS_INLINE T v##BITS##_sqrt(T a) { return SQRT(a); }                                                      \
    TS_INLINE T v##BITS##_flush(T a) { return a > -MIN && a < MIN ? 0 : a; }                                 \
    TS_INLINE int v##BITS##_gt(T a, T b) { return a > b; }                                                   \
    TS_INLINE int v##BITS##_ne(T a, T b) { return a != b; }                                                  \
    TS_INLINE T v##BITS##_select(int m, T a, T b) { return m ? a : b; }                                      \
    TS_INLINE T v##BITS##_sum(T a) { return a; }                                                             \
    TS_INLINE T v##BITS##_largest(T a) { return a; }

TS_SCALAR_OPS(32, float, sqrtf, FLT_MIN)
TS_SCALAR_OPS(64, double, sqrt, DBL_MIN)
TS_INLINE double v64_widen(const float *a) { return v32_load(a); }

/* 32-bit unsigned lanes, for stored states. max, largest and gt take them as signed. */
typedef uint32_t v32_u;
TS_INLINE uint32_t u32_set1(uint32_t x) { return x; }
TS_INLINE uint32_t u32_lane(void) { return 0; }
TS_INLINE uint32_t u32_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
TS_INLINE float u32_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
TS_INLINE uint32_t u32_add(uint32_t a, uint32_t b) { return a + b; }
TS_INLINE uint32_t u32_sub(uint32_t a, uint32_t b) { return a - b; }
TS_INLINE uint32_t u32_mul(uint32_t a, uint32_t b) { return a * b; }
TS_INLINE uint32_t u32_and(uint32_t a, uint32_t b) { return a & b; }
TS_INLINE uint32_t u32_or(uint32_t a, uint32_t b) { return a | b; }
TS_INLINE uint32_t u32_xor(uint32_t a, uint32_t b) { return a ^ b; }
TS_INLINE uint32_t u32_shl(uint32_t a, int n) { return a << n; }
TS_INLINE uint32_t u32_shr(uint32_t a, int n) { return a >> n; }
TS_INLINE int u32_gt(uint32_t a, uint32_t b) { return (int32_t)a > (int32_t)b; }
TS_INLINE uint32_t u32_max(uint32_t a, uint32_t b) { return u32_gt(a, b) ? a : b; }
TS_INLINE uint32_t u32_select(int m, uint32_t a, uint32_t b) { return m ? a : b; }
TS_INLINE int u32_any(int m) { return m; }
TS_INLINE uint32_t u32_largest(uint32_t a) { return a; }

/* 16-bit lanes, as many as two vectors have. low and high put half of them into the upper halves of 32-bit lanes, join
 * takes them back; min, max and sra take them as signed; keep gives x where a is not zero; select: m is 0 or all ones. */
typedef struct {
    uint16_t x[2];
} v16_u;
#define TS_BOTH(value_of_j)                                                                                  \
    v16_u r;                                                                                                 \
    for (int j = 0; j < 2; j++) r.x[j] = (uint16_t)(value_of_j);                                             \
    return r
TS_INLINE v16_u u16_set1(uint16_t x) { TS_BOTH(x); }
TS_INLINE v16_u u16_load(const void *a) {
    v16_u r;
    memcpy(&r, a, sizeof r);
    return r;
}
TS_INLINE void u16_store(void *a, v16_u x) { memcpy(a, &x, sizeof x); }
TS_INLINE v16_u u16_load8(const void *a) { TS_BOTH(((const uint8_t *)a)[j]); }
TS_INLINE void u16_store8(void *a, v16_u x) {
    for (int j = 0; j < 2; j++) ((uint8_t *)a)[j] = (uint8_t)x.x[j];
}
TS_INLINE uint32_t u16_low(v16_u x) { return (uint32_t)x.x[0] << 16; }
TS_INLINE uint32_t u16_high(v16_u x) { return (uint32_t)x.x[1] << 16; }
TS_INLINE v16_u u16_join(uint32_t low, uint32_t high) { TS_BOTH((j == 0 ? low : high) >> 16); }
TS_INLINE v16_u u16_add(v16_u a, v16_u b) { TS_BOTH(a.x[j] + b.x[j]); }
TS_INLINE v16_u u16_sub(v16_u a, v16_u b) { TS_BOTH(a.x[j] - b.x[j]); }
TS_INLINE v16_u u16_and(v16_u a, v16_u b) { TS_BOTH(a.x[j] & b.x[j]); }
TS_INLINE v16_u u16_or(v16_u a, v16_u b) { TS_BOTH(a.x[j] | b.x[j]); }
TS_INLINE v16_u u16_shl(v16_u a, int n) { TS_BOTH(a.x[j] << n); }
TS_INLINE v16_u u16_shr(v16_u a, int n) { TS_BOTH(a.x[j] >> n); }
TS_INLINE v16_u u16_sra(v16_u a, int n) { TS_BOTH((a.x[j] >> n) | (0u - (a.x[j] >> 15u)) << (16 - n)); }
TS_INLINE v16_u u16_min(v16_u a, v16_u b) { TS_BOTH((int16_t)a.x[j] < (int16_t)b.x[j] ? a.x[j] : b.x[j]); }
TS_INLINE v16_u u16_max(v16_u a, v16_u b) { TS_BOTH((int16_t)a.x[j] > (int16_t)b.x[j] ? a.x[j] : b.x[j]); }
TS_INLINE v16_u u16_min_unsigned(v16_u a, v16_u b) { TS_BOTH(a.x[j] < b.x[j] ? a.x[j] : b.x[j]); }
TS_INLINE v16_u u16_keep(v16_u a, v16_u x) { TS_BOTH(a.x[j] != 0 ? x.x[j] : 0); }
TS_INLINE v16_u u16_select(v16_u m, v16_u a, v16_u b) { TS_BOTH(m.x[j] ? a.x[j] : b.x[j]); }

#endif
