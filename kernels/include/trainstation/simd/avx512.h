/* The operations on 16 floats or 8 doubles with AVX-512 (F, BW, DQ, VL). */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <immintrin.h>

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
TS_INLINE v32_mask v32_gt(v32_t a, v32_t b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
TS_INLINE v32_mask v32_ne(v32_t a, v32_t b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
TS_INLINE v32_t v32_select(v32_mask m, v32_t a, v32_t b) { return _mm512_mask_blend_ps(m, b, a); }

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
TS_INLINE v64_mask v64_gt(v64_t a, v64_t b) { return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ); }
TS_INLINE v64_mask v64_ne(v64_t a, v64_t b) { return _mm512_cmp_pd_mask(a, b, _CMP_NEQ_UQ); }
TS_INLINE v64_t v64_select(v64_mask m, v64_t a, v64_t b) { return _mm512_mask_blend_pd(m, b, a); }

#endif
