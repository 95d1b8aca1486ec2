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
TS_INLINE v32_t v32_flush(v32_t a) {
    const uint32x4_t bits = vreinterpretq_u32_f32(a);
    return vreinterpretq_f32_u32(vandq_u32(bits, vtstq_u32(bits, vdupq_n_u32(0x7f800000))));
}
TS_INLINE v32_mask v32_gt(v32_t a, v32_t b) { return vcgtq_f32(a, b); }
TS_INLINE v32_mask v32_ne(v32_t a, v32_t b) { return vmvnq_u32(vceqq_f32(a, b)); }
TS_INLINE v32_t v32_select(v32_mask m, v32_t a, v32_t b) { return vbslq_f32(m, a, b); }
/* Over the lanes of one vector, in the order that suits the processor: not for rules. */
TS_INLINE float v32_sum(v32_t a) { return vaddvq_f32(a); }
TS_INLINE float v32_largest(v32_t a) { return vmaxnmvq_f32(a); }

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
TS_INLINE v64_t v64_flush(v64_t a) {
    const uint64x2_t bits = vreinterpretq_u64_f64(a);
    return vreinterpretq_f64_u64(vandq_u64(bits, vtstq_u64(bits, vdupq_n_u64(0x7ff0000000000000))));
}
TS_INLINE v64_mask v64_gt(v64_t a, v64_t b) { return vcgtq_f64(a, b); }
TS_INLINE v64_mask v64_ne(v64_t a, v64_t b) {
    return vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(vceqq_f64(a, b))));
}
TS_INLINE v64_t v64_select(v64_mask m, v64_t a, v64_t b) { return vbslq_f64(m, a, b); }
TS_INLINE v64_t v64_widen(const float *a) { return vcvt_f64_f32(vld1_f32(a)); }
TS_INLINE double v64_sum(v64_t a) { return vaddvq_f64(a); }
TS_INLINE double v64_largest(v64_t a) { return vmaxnmvq_f64(a); }

typedef uint32x4_t v32_u;
TS_INLINE v32_u u32_set1(uint32_t x) { return vdupq_n_u32(x); }
TS_INLINE v32_u u32_lane(void) {
    static const uint32_t lane[4] = {0, 1, 2, 3};
    return vld1q_u32(lane);
}
TS_INLINE v32_u u32_bits(v32_t x) { return vreinterpretq_u32_f32(x); }
TS_INLINE v32_t u32_float(v32_u x) { return vreinterpretq_f32_u32(x); }
TS_INLINE v32_u u32_add(v32_u a, v32_u b) { return vaddq_u32(a, b); }
TS_INLINE v32_u u32_sub(v32_u a, v32_u b) { return vsubq_u32(a, b); }
TS_INLINE v32_u u32_mul(v32_u a, v32_u b) { return vmulq_u32(a, b); }
TS_INLINE v32_u u32_and(v32_u a, v32_u b) { return vandq_u32(a, b); }
TS_INLINE v32_u u32_or(v32_u a, v32_u b) { return vorrq_u32(a, b); }
TS_INLINE v32_u u32_xor(v32_u a, v32_u b) { return veorq_u32(a, b); }
TS_INLINE v32_u u32_shl(v32_u a, int n) { return vshlq_u32(a, vdupq_n_s32(n)); }
TS_INLINE v32_u u32_shr(v32_u a, int n) { return vshlq_u32(a, vdupq_n_s32(-n)); }
TS_INLINE v32_mask u32_gt(v32_u a, v32_u b) { return vcgtq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b)); }
TS_INLINE v32_u u32_max(v32_u a, v32_u b) {
    return vreinterpretq_u32_s32(vmaxq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b)));
}
TS_INLINE v32_u u32_select(v32_mask m, v32_u a, v32_u b) { return vbslq_u32(m, a, b); }
TS_INLINE int u32_any(v32_mask m) { return vmaxvq_u32(m) != 0; }
TS_INLINE uint32_t u32_largest(v32_u a) { return (uint32_t)vmaxvq_s32(vreinterpretq_s32_u32(a)); }

typedef uint16x8_t v16_u;
TS_INLINE int16x8_t u16_signed(v16_u a) { return vreinterpretq_s16_u16(a); }
TS_INLINE v16_u u16_set1(uint16_t x) { return vdupq_n_u16(x); }
TS_INLINE v16_u u16_load(const void *a) { return vreinterpretq_u16_u8(vld1q_u8((const uint8_t *)a)); }
TS_INLINE void u16_store(void *a, v16_u x) { vst1q_u8((uint8_t *)a, vreinterpretq_u8_u16(x)); }
TS_INLINE v16_u u16_load8(const void *a) { return vmovl_u8(vld1_u8((const uint8_t *)a)); }
TS_INLINE void u16_store8(void *a, v16_u x) { vst1_u8((uint8_t *)a, vmovn_u16(x)); }
TS_INLINE v32_u u16_low(v16_u x) { return vshll_n_u16(vget_low_u16(x), 16); }
TS_INLINE v32_u u16_high(v16_u x) { return vshll_n_u16(vget_high_u16(x), 16); }
TS_INLINE v16_u u16_join(v32_u low, v32_u high) {
    return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high));
}
TS_INLINE v16_u u16_add(v16_u a, v16_u b) { return vaddq_u16(a, b); }
TS_INLINE v16_u u16_sub(v16_u a, v16_u b) { return vsubq_u16(a, b); }
TS_INLINE v16_u u16_and(v16_u a, v16_u b) { return vandq_u16(a, b); }
TS_INLINE v16_u u16_or(v16_u a, v16_u b) { return vorrq_u16(a, b); }
TS_INLINE v16_u u16_shl(v16_u a, int n) { return vshlq_u16(a, vdupq_n_s16((int16_t)n)); }
TS_INLINE v16_u u16_shr(v16_u a, int n) { return vshlq_u16(a, vdupq_n_s16((int16_t)-n)); }
TS_INLINE v16_u u16_sra(v16_u a, int n) {
    return vreinterpretq_u16_s16(vshlq_s16(u16_signed(a), vdupq_n_s16((int16_t)-n)));
}
TS_INLINE v16_u u16_min(v16_u a, v16_u b) { return vreinterpretq_u16_s16(vminq_s16(u16_signed(a), u16_signed(b))); }
TS_INLINE v16_u u16_max(v16_u a, v16_u b) { return vreinterpretq_u16_s16(vmaxq_s16(u16_signed(a), u16_signed(b))); }
TS_INLINE v16_u u16_min_unsigned(v16_u a, v16_u b) { return vminq_u16(a, b); }
TS_INLINE v16_u u16_keep(v16_u a, v16_u x) { return vandq_u16(vtstq_u16(a, a), x); }
TS_INLINE v16_u u16_select(v16_u m, v16_u a, v16_u b) { return vbslq_u16(m, a, b); }

#endif
