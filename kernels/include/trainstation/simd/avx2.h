/* The operations on 8 floats or 4 doubles with AVX2 (no FMA). */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <immintrin.h>
#include <string.h>

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
TS_INLINE v32_t v32_flush(v32_t a) {
    const __m256i exponent = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x7f800000));
    return _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(exponent, _mm256_setzero_si256())), a);
}
TS_INLINE v32_mask v32_gt(v32_t a, v32_t b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
TS_INLINE v32_mask v32_ne(v32_t a, v32_t b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
TS_INLINE v32_t v32_select(v32_mask m, v32_t a, v32_t b) { return _mm256_blendv_ps(b, a, m); }

/* Over the lanes of one vector, in the order that suits the processor: not for rules. */
TS_INLINE float v32_sum(v32_t a) {
    __m128 x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
TS_INLINE float v32_largest(v32_t a) {
    __m128 x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    x = _mm_max_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

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
TS_INLINE v64_t v64_flush(v64_t a) {
    const __m256i exponent = _mm256_and_si256(_mm256_castpd_si256(a), _mm256_set1_epi64x(0x7ff0000000000000));
    return _mm256_andnot_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(exponent, _mm256_setzero_si256())), a);
}
TS_INLINE v64_mask v64_gt(v64_t a, v64_t b) { return _mm256_cmp_pd(a, b, _CMP_GT_OQ); }
TS_INLINE v64_mask v64_ne(v64_t a, v64_t b) { return _mm256_cmp_pd(a, b, _CMP_NEQ_UQ); }
TS_INLINE v64_t v64_select(v64_mask m, v64_t a, v64_t b) { return _mm256_blendv_pd(b, a, m); }
TS_INLINE v64_t v64_widen(const float *a) { return _mm256_cvtps_pd(_mm_loadu_ps(a)); }
TS_INLINE double v64_sum(v64_t a) {
    const __m128d x = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)));
}
TS_INLINE double v64_largest(v64_t a) {
    const __m128d x = _mm_max_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_max_sd(x, _mm_unpackhi_pd(x, x)));
}

typedef __m256i v32_u;
TS_INLINE v32_u u32_set1(uint32_t x) { return _mm256_set1_epi32((int)x); }
TS_INLINE v32_u u32_lane(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
TS_INLINE v32_u u32_bits(v32_t x) { return _mm256_castps_si256(x); }
TS_INLINE v32_t u32_float(v32_u x) { return _mm256_castsi256_ps(x); }
TS_INLINE v32_u u32_add(v32_u a, v32_u b) { return _mm256_add_epi32(a, b); }
TS_INLINE v32_u u32_sub(v32_u a, v32_u b) { return _mm256_sub_epi32(a, b); }
TS_INLINE v32_u u32_mul(v32_u a, v32_u b) { return _mm256_mullo_epi32(a, b); }
TS_INLINE v32_u u32_and(v32_u a, v32_u b) { return _mm256_and_si256(a, b); }
TS_INLINE v32_u u32_or(v32_u a, v32_u b) { return _mm256_or_si256(a, b); }
TS_INLINE v32_u u32_xor(v32_u a, v32_u b) { return _mm256_xor_si256(a, b); }
TS_INLINE v32_u u32_shl(v32_u a, int n) { return _mm256_slli_epi32(a, n); }
TS_INLINE v32_u u32_shr(v32_u a, int n) { return _mm256_srli_epi32(a, n); }
TS_INLINE v32_mask u32_gt(v32_u a, v32_u b) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b)); }
TS_INLINE v32_u u32_max(v32_u a, v32_u b) { return _mm256_max_epi32(a, b); }
TS_INLINE v32_u u32_select(v32_mask m, v32_u a, v32_u b) {
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(m));
}
TS_INLINE int u32_any(v32_mask m) { return _mm256_movemask_ps(m) != 0; }
TS_INLINE uint32_t u32_largest(v32_u a) {
    __m128i x = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    x = _mm_max_epi32(x, _mm_shuffle_epi32(x, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(x, _mm_shuffle_epi32(x, 0xb1)));
}

typedef __m256i v16_u;
TS_INLINE v16_u u16_set1(uint16_t x) { return _mm256_set1_epi16((short)x); }
TS_INLINE v16_u u16_load(const void *a) { return _mm256_loadu_si256((const __m256i *)a); }
TS_INLINE void u16_store(void *a, v16_u x) { _mm256_storeu_si256((__m256i *)a, x); }
TS_INLINE v16_u u16_load8(const void *a) { return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)a)); }
TS_INLINE void u16_store8(void *a, v16_u x) {
    _mm_storeu_si128((__m128i *)a, _mm_packus_epi16(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1)));
}
TS_INLINE v32_u u16_low(v16_u x) {
    return _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(x)), 16);
}
TS_INLINE v32_u u16_high(v16_u x) {
    return _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(x, 1)), 16);
}
TS_INLINE v16_u u16_join(v32_u low, v32_u high) {
    const __m256i halves = _mm256_packus_epi32(_mm256_srli_epi32(low, 16), _mm256_srli_epi32(high, 16));
    return _mm256_permute4x64_epi64(halves, 0xd8);
}
TS_INLINE v16_u u16_add(v16_u a, v16_u b) { return _mm256_add_epi16(a, b); }
TS_INLINE v16_u u16_sub(v16_u a, v16_u b) { return _mm256_sub_epi16(a, b); }
TS_INLINE v16_u u16_and(v16_u a, v16_u b) { return _mm256_and_si256(a, b); }
TS_INLINE v16_u u16_or(v16_u a, v16_u b) { return _mm256_or_si256(a, b); }
TS_INLINE v16_u u16_shl(v16_u a, int n) { return _mm256_slli_epi16(a, n); }
TS_INLINE v16_u u16_shr(v16_u a, int n) { return _mm256_srli_epi16(a, n); }
TS_INLINE v16_u u16_sra(v16_u a, int n) { return _mm256_srai_epi16(a, n); }
TS_INLINE v16_u u16_min(v16_u a, v16_u b) { return _mm256_min_epi16(a, b); }
TS_INLINE v16_u u16_max(v16_u a, v16_u b) { return _mm256_max_epi16(a, b); }
TS_INLINE v16_u u16_min_unsigned(v16_u a, v16_u b) { return _mm256_min_epu16(a, b); }
TS_INLINE v16_u u16_keep(v16_u a, v16_u x) {
    return _mm256_andnot_si256(_mm256_cmpeq_epi16(a, _mm256_setzero_si256()), x);
}
TS_INLINE v16_u u16_select(v16_u m, v16_u a, v16_u b) { return _mm256_blendv_epi8(b, a, m); }

#endif
