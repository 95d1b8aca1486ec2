/* The operations on 16 floats or 8 doubles with AVX-512 (F, BW, DQ, VL). */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <immintrin.h>
#include <string.h>

#define TS_ISA avx512
#define TS_INLINE static inline __attribute__((always_inline))

/* The instruction set belongs to this region, not to a flag of the file; loop.h ends it. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define TS_END_ISA _Pragma("clang attribute pop")
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#define TS_END_ISA _Pragma("GCC pop_options")
#endif

typedef __m512 v32_t;
typedef float v32_elem;
typedef __mmask16 v32_mask;
enum { v32_lanes = 16 };

TS_INLINE __mmask16 v32_first(int64_t n) { return (__mmask16)((1u << n) - 1); }
TS_INLINE v32_t v32_load(const float *a) { return _mm512_loadu_ps(a); }
TS_INLINE void v32_store(float *a, v32_t x) { _mm512_storeu_ps(a, x); }
TS_INLINE v32_t v32_load_n(const float *a, int64_t n) { return _mm512_maskz_loadu_ps(v32_first(n), a); }
TS_INLINE void v32_store_n(float *a, v32_t x, int64_t n) { _mm512_mask_storeu_ps(a, v32_first(n), x); }
TS_INLINE v32_t v32_set1(float x) { return _mm512_set1_ps(x); }
TS_INLINE v32_t v32_add(v32_t a, v32_t b) { return _mm512_add_ps(a, b); }
TS_INLINE v32_t v32_sub(v32_t a, v32_t b) { return _mm512_sub_ps(a, b); }
TS_INLINE v32_t v32_mul(v32_t a, v32_t b) { return _mm512_mul_ps(a, b); }
TS_INLINE v32_t v32_div(v32_t a, v32_t b) { return _mm512_div_ps(a, b); }
TS_INLINE v32_t v32_sqrt(v32_t a) { return _mm512_sqrt_ps(a); }
TS_INLINE v32_t v32_flush(v32_t a) {
    return _mm512_maskz_mov_ps(_mm512_test_epi32_mask(_mm512_castps_si512(a), _mm512_set1_epi32(0x7f800000)), a);
}
TS_INLINE v32_mask v32_gt(v32_t a, v32_t b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
TS_INLINE v32_mask v32_ne(v32_t a, v32_t b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
TS_INLINE v32_t v32_select(v32_mask m, v32_t a, v32_t b) { return _mm512_mask_blend_ps(m, b, a); }
/* Over the lanes of one vector, in the order that suits the processor: not for rules. */
TS_INLINE float v32_sum(v32_t a) { return _mm512_reduce_add_ps(a); }
TS_INLINE float v32_largest(v32_t a) { return _mm512_reduce_max_ps(a); }

typedef __m512d v64_t;
typedef double v64_elem;
typedef __mmask8 v64_mask;
enum { v64_lanes = 8 };

TS_INLINE __mmask8 v64_first(int64_t n) { return (__mmask8)((1u << n) - 1); }
TS_INLINE v64_t v64_load(const double *a) { return _mm512_loadu_pd(a); }
TS_INLINE void v64_store(double *a, v64_t x) { _mm512_storeu_pd(a, x); }
TS_INLINE v64_t v64_load_n(const double *a, int64_t n) { return _mm512_maskz_loadu_pd(v64_first(n), a); }
TS_INLINE void v64_store_n(double *a, v64_t x, int64_t n) { _mm512_mask_storeu_pd(a, v64_first(n), x); }
TS_INLINE v64_t v64_set1(double x) { return _mm512_set1_pd(x); }
TS_INLINE v64_t v64_add(v64_t a, v64_t b) { return _mm512_add_pd(a, b); }
TS_INLINE v64_t v64_sub(v64_t a, v64_t b) { return _mm512_sub_pd(a, b); }
TS_INLINE v64_t v64_mul(v64_t a, v64_t b) { return _mm512_mul_pd(a, b); }
TS_INLINE v64_t v64_div(v64_t a, v64_t b) { return _mm512_div_pd(a, b); }
TS_INLINE v64_t v64_sqrt(v64_t a) { return _mm512_sqrt_pd(a); }
TS_INLINE v64_t v64_flush(v64_t a) {
    const __m512i exponent = _mm512_set1_epi64(0x7ff0000000000000);
    return _mm512_maskz_mov_pd(_mm512_test_epi64_mask(_mm512_castpd_si512(a), exponent), a);
}
TS_INLINE v64_mask v64_gt(v64_t a, v64_t b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
TS_INLINE v64_mask v64_ne(v64_t a, v64_t b) { return _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ); }
TS_INLINE v64_t v64_select(v64_mask m, v64_t a, v64_t b) { return _mm512_mask_blend_pd(m, b, a); }
TS_INLINE v64_t v64_widen(const float *a) { return _mm512_cvtps_pd(_mm256_loadu_ps(a)); }
TS_INLINE double v64_sum(v64_t a) { return _mm512_reduce_add_pd(a); }
TS_INLINE double v64_largest(v64_t a) { return _mm512_reduce_max_pd(a); }

typedef __m512i v32_u;
TS_INLINE v32_u u32_set1(uint32_t x) { return _mm512_set1_epi32((int)x); }
TS_INLINE v32_u u32_lane(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
TS_INLINE v32_u u32_bits(v32_t x) { return _mm512_castps_si512(x); }
TS_INLINE v32_t u32_float(v32_u x) { return _mm512_castsi512_ps(x); }
TS_INLINE v32_u u32_add(v32_u a, v32_u b) { return _mm512_add_epi32(a, b); }
TS_INLINE v32_u u32_sub(v32_u a, v32_u b) { return _mm512_sub_epi32(a, b); }
TS_INLINE v32_u u32_mul(v32_u a, v32_u b) { return _mm512_mullo_epi32(a, b); }
TS_INLINE v32_u u32_and(v32_u a, v32_u b) { return _mm512_and_si512(a, b); }
TS_INLINE v32_u u32_or(v32_u a, v32_u b) { return _mm512_or_si512(a, b); }
TS_INLINE v32_u u32_xor(v32_u a, v32_u b) { return _mm512_xor_si512(a, b); }
TS_INLINE v32_u u32_shl(v32_u a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
TS_INLINE v32_u u32_shr(v32_u a, int n) { return _mm512_srli_epi32(a, (unsigned)n); }
TS_INLINE v32_mask u32_gt(v32_u a, v32_u b) { return _mm512_cmpgt_epi32_mask(a, b); }
TS_INLINE v32_u u32_max(v32_u a, v32_u b) { return _mm512_max_epi32(a, b); }
TS_INLINE v32_u u32_select(v32_mask m, v32_u a, v32_u b) { return _mm512_mask_blend_epi32(m, b, a); }
TS_INLINE int u32_any(v32_mask m) { return m != 0; }
TS_INLINE uint32_t u32_largest(v32_u a) { return (uint32_t)_mm512_reduce_max_epi32(a); }

typedef __m512i v16_u;
TS_INLINE v16_u u16_set1(uint16_t x) { return _mm512_set1_epi16((short)x); }
TS_INLINE v16_u u16_load(const void *a) { return _mm512_loadu_si512(a); }
TS_INLINE void u16_store(void *a, v16_u x) { _mm512_storeu_si512(a, x); }
TS_INLINE v16_u u16_load8(const void *a) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)a)); }
TS_INLINE void u16_store8(void *a, v16_u x) { _mm256_storeu_si256((__m256i *)a, _mm512_cvtepi16_epi8(x)); }
TS_INLINE __m512i u16_halved_lane(void) { /* 0, 0, 1, 1, 2, 2, ... */
    return _mm512_set_epi16(15, 15, 14, 14, 13, 13, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2,
                            1, 1, 0, 0);
}
TS_INLINE __m512i u16_odd_lane(void) { /* 1, 3, 5, ... */
    return _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25, 23, 21, 19, 17,
                            15, 13, 11, 9, 7, 5, 3, 1);
}
TS_INLINE v32_u u16_low(v16_u x) { return _mm512_maskz_permutexvar_epi16(0xaaaaaaaa, u16_halved_lane(), x); }
TS_INLINE v32_u u16_high(v16_u x) {
    const __m512i place = _mm512_add_epi16(u16_halved_lane(), _mm512_set1_epi16(16));
    return _mm512_maskz_permutexvar_epi16(0xaaaaaaaa, place, x);
}
TS_INLINE v16_u u16_join(v32_u low, v32_u high) { return _mm512_permutex2var_epi16(low, u16_odd_lane(), high); }
TS_INLINE v16_u u16_add(v16_u a, v16_u b) { return _mm512_add_epi16(a, b); }
TS_INLINE v16_u u16_sub(v16_u a, v16_u b) { return _mm512_sub_epi16(a, b); }
TS_INLINE v16_u u16_and(v16_u a, v16_u b) { return _mm512_and_si512(a, b); }
TS_INLINE v16_u u16_or(v16_u a, v16_u b) { return _mm512_or_si512(a, b); }
TS_INLINE v16_u u16_shl(v16_u a, int n) { return _mm512_slli_epi16(a, (unsigned)n); }
TS_INLINE v16_u u16_shr(v16_u a, int n) { return _mm512_srli_epi16(a, (unsigned)n); }
TS_INLINE v16_u u16_sra(v16_u a, int n) { return _mm512_srai_epi16(a, (unsigned)n); }
TS_INLINE v16_u u16_min(v16_u a, v16_u b) { return _mm512_min_epi16(a, b); }
TS_INLINE v16_u u16_max(v16_u a, v16_u b) { return _mm512_max_epi16(a, b); }
TS_INLINE v16_u u16_min_unsigned(v16_u a, v16_u b) { return _mm512_min_epu16(a, b); }
TS_INLINE v16_u u16_keep(v16_u a, v16_u x) { return _mm512_maskz_mov_epi16(_mm512_test_epi16_mask(a, a), x); }
TS_INLINE v16_u u16_select(v16_u m, v16_u a, v16_u b) { return _mm512_mask_blend_epi16(_mm512_movepi16_mask(m), b, a); }

#endif
