/* The operations on 8 floats or 4 doubles with AVX2 (no FMA). */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <immintrin.h>

#define TS_ISA avx2
#define TS_INLINE static inline __attribute__((always_inline))

/* The instruction set belongs to this region, not to a flag of the file; loop.h ends it. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define TS_END_ISA _Pragma("clang attribute pop")
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#define TS_END_ISA _Pragma("GCC pop_options")
#endif

typedef __m256 v32_t;
typedef float v32_elem;
typedef __m256 v32_mask;
enum { v32_lanes = 8 };

TS_INLINE __m256i v32_first(int64_t n) { /* all bits in the first n lanes */
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
TS_INLINE v32_t v32_load(const float *a) { return _mm256_loadu_ps(a); }
TS_INLINE void v32_store(float *a, v32_t x) { _mm256_storeu_ps(a, x); }
TS_INLINE v32_t v32_load_n(const float *a, int64_t n) { return _mm256_maskload_ps(a, v32_first(n)); }
TS_INLINE void v32_store_n(float *a, v32_t x, int64_t n) { _mm256_maskstore_ps(a, v32_first(n), x); }
TS_INLINE v32_t v32_set1(float x) { return _mm256_set1_ps(x); }
TS_INLINE v32_t v32_add(v32_t a, v32_t b) { return _mm256_add_ps(a, b); }
TS_INLINE v32_t v32_sub(v32_t a, v32_t b) { return _mm256_sub_ps(a, b); }
TS_INLINE v32_t v32_mul(v32_t a, v32_t b) { return _mm256_mul_ps(a, b); }
TS_INLINE v32_t v32_div(v32_t a, v32_t b) { return _mm256_div_ps(a, b); }
TS_INLINE v32_t v32_sqrt(v32_t a) { return _mm256_sqrt_ps(a); }
TS_INLINE v32_mask v32_gt(v32_t a, v32_t b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
TS_INLINE v32_mask v32_ne(v32_t a, v32_t b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
TS_INLINE v32_t v32_select(v32_mask m, v32_t a, v32_t b) { return _mm256_blendv_ps(b, a, m); }

typedef __m256d v64_t;
typedef double v64_elem;
typedef __m256d v64_mask;
enum { v64_lanes = 4 };

TS_INLINE __m256i v64_first(int64_t n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
TS_INLINE v64_t v64_load(const double *a) { return _mm256_loadu_pd(a); }
TS_INLINE void v64_store(double *a, v64_t x) { _mm256_storeu_pd(a, x); }
TS_INLINE v64_t v64_load_n(const double *a, int64_t n) { return _mm256_maskload_pd(a, v64_first(n)); }
TS_INLINE void v64_store_n(double *a, v64_t x, int64_t n) { _mm256_maskstore_pd(a, v64_first(n), x); }
TS_INLINE v64_t v64_set1(double x) { return _mm256_set1_pd(x); }
TS_INLINE v64_t v64_add(v64_t a, v64_t b) { return _mm256_add_pd(a, b); }
TS_INLINE v64_t v64_sub(v64_t a, v64_t b) { return _mm256_sub_pd(a, b); }
TS_INLINE v64_t v64_mul(v64_t a, v64_t b) { return _mm256_mul_pd(a, b); }
TS_INLINE v64_t v64_div(v64_t a, v64_t b) { return _mm256_div_pd(a, b); }
TS_INLINE v64_t v64_sqrt(v64_t a) { return _mm256_sqrt_pd(a); }
TS_INLINE v64_mask v64_gt(v64_t a, v64_t b) { return _mm256_cmp_pd(a, b, _CMP_GT_OQ); }
TS_INLINE v64_mask v64_ne(v64_t a, v64_t b) { return _mm256_cmp_pd(a, b, _CMP_NEQ_UQ); }
TS_INLINE v64_t v64_select(v64_mask m, v64_t a, v64_t b) { return _mm256_blendv_pd(b, a, m); }

#endif
