/* The slot table: what a step of an optimizer looks like to C. */
#ifndef TRAINSTATION_H
#define TRAINSTATION_H

#include <float.h>
#include <stdint.h>

/* The same bits everywhere need every operation rounded by itself. GCC fuses multiplications and additions even of
 * intrinsics unless told not to; told here, so that a plugin's -O3 or -march=native brings no fused operation.
 * What loosens arithmetic on purpose must not be asked for (Clang's -ffp-contract=fast cannot be seen from here). */
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || __FINITE_MATH_ONLY__
#error "trainstation kernels promise identical bits: build them without -ffast-math and its parts"
#endif
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16 /* 16: only half precision is special */
#error "trainstation kernels need float and double arithmetic without excess precision"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#if defined(__x86_64__)
#define TS_X86 1
#elif defined(__aarch64__)
#define TS_ARM64 1
#endif

enum { TS_MAX_STATES = 4, TS_MAX_SCALARS = 16 };
enum ts_isa { TS_SCALAR, TS_AVX2, TS_AVX512, TS_NEON, TS_N_ISAS };
enum ts_dtype { TS_FLOAT32, TS_FLOAT64, TS_N_DTYPES };

/* One parameter in one step. The arrays are contiguous, have n elements of type dtype, may be misaligned, and
 * overlap neither one another nor another slot's; g is only read. */
typedef struct ts_slot {
    void *p;
    const void *g;
    void *state[TS_MAX_STATES]; /* in the order that the rule names them */
    const double *scalars;      /* rounded once to the element type */
    int64_t *step;              /* t, advanced when the slot is done */
    int64_t n;
    double gscale; /* g * gscale is the gradient that the rule sees */
    int32_t rule;
    int32_t dtype;
} ts_slot;

/* Applies one rule to the elements begin .. end-1 of a slot. */
typedef void ts_rule_fn(const ts_slot *slot, int64_t begin, int64_t end);

#endif
