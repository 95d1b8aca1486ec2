/* The operations on one element: every processor, and the text that the other headers must agree with. */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <math.h>
#include <string.h>

#define TS_ISA scalar
#define TS_INLINE static inline __attribute__((always_inline))

/* memcpy, because a parameter may start at any byte. */
#define TS_SCALAR_OPS(BITS, T, SQRT)                                                                         \
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
    TS_INLINE int v##BITS##_gt(T a, T b) { return a > b; }                                                   \
    TS_INLINE int v##BITS##_ne(T a, T b) { return a != b; }                                                  \
    TS_INLINE T v##BITS##_select(int m, T a, T b) { return m ? a : b; }

TS_SCALAR_OPS(32, float, sqrtf)
TS_SCALAR_OPS(64, double, sqrt)

#endif
