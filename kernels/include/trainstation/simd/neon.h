/* The operations on 4 floats or 2 doubles with Advanced SIMD (every AArch64 processor has it). */
#ifndef TS_SIMD_H
#define TS_SIMD_H

#include "trainstation/trainstation.h"

#include <arm_neon.h>
#include <string.h>

#define TS_ISA neon
#define TS_INLINE static inline __attribute__((always_inline))

typedef float32x4_t v32_t;
typedef float v32_elem;
typedef uint32x4_t v32_mask;
enum { v32_lanes = 4 };

TS_INLINE v32_t v32_load(const float *a) { return vld1q_f32(a); }
TS_INLINE void v32_store(float *a, v32_t x) { vst1q_f32(a, x); }
TS_INLINE v32_t v32_load_n(const float *a, int64_t n) {
    float lane[4] = {0};
    memcpy(lane, (const void *)a, (size_t)n * sizeof *lane);
    return vld1q_f32(lane);
}
TS_INLINE void v32_store_n(float *a, v32_t x, int64_t n) {
    float lane[4];
    vst1q_f32(lane, x);
    memcpy((void *)a, lane, (size_t)n * sizeof *lane);
}
TS_INLINE v32_t v32_set1(float x) { return vdupq_n_f32(x); }
TS_INLINE v32_t v32_add(v32_t a, v32_t b) { return vaddq_f32(a, b); }
TS_INLINE v32_t v32_sub(v32_t a, v32_t b) { return vsubq_f32(a, b); }
TS_INLINE v32_t v32_mul(v32_t a, v32_t b) { return vmulq_f32(a, b); }
TS_INLINE v32_t v32_div(v32_t a, v32_t b) { return vdivq_f32(a, b); }
TS_INLINE v32_t v32_sqrt(v32_t a) { return vsqrtq_f32(a); }
TS_INLINE v32_mask v32_gt(v32_t a, v32_t b) { return vcgtq_f32(a, b); }
TS_INLINE v32_mask v32_ne(v32_t a, v32_t b) { return vmvnq_u32(vceqq_f32(a, b)); }
TS_INLINE v32_t v32_select(v32_mask m, v32_t a, v32_t b) { return vbslq_f32(m, a, b); }

typedef float64x2_t v64_t;
typedef double v64_elem;
typedef uint64x2_t v64_mask;
enum { v64_lanes = 2 };

TS_INLINE v64_t v64_load(const double *a) { return vld1q_f64(a); }
TS_INLINE void v64_store(double *a, v64_t x) { vst1q_f64(a, x); }
TS_INLINE v64_t v64_load_n(const double *a, int64_t n) {
    double lane[2] = {0};
    memcpy(lane, (const void *)a, (size_t)n * sizeof *lane);
    return vld1q_f64(lane);
}
TS_INLINE void v64_store_n(double *a, v64_t x, int64_t n) {
    double lane[2];
    vst1q_f64(lane, x);
    memcpy((void *)a, lane, (size_t)n * sizeof *lane);
}
TS_INLINE v64_t v64_set1(double x) { return vdupq_n_f64(x); }
TS_INLINE v64_t v64_add(v64_t a, v64_t b) { return vaddq_f64(a, b); }
TS_INLINE v64_t v64_sub(v64_t a, v64_t b) { return vsubq_f64(a, b); }
TS_INLINE v64_t v64_mul(v64_t a, v64_t b) { return vmulq_f64(a, b); }
TS_INLINE v64_t v64_div(v64_t a, v64_t b) { return vdivq_f64(a, b); }
TS_INLINE v64_t v64_sqrt(v64_t a) { return vsqrtq_f64(a); }
TS_INLINE v64_mask v64_gt(v64_t a, v64_t b) { return vcgtq_f64(a, b); }
TS_INLINE v64_mask v64_ne(v64_t a, v64_t b) {
    return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(a, b))));
}
TS_INLINE v64_t v64_select(v64_mask m, v64_t a, v64_t b) { return vbslq_f64(m, a, b); }

#endif
