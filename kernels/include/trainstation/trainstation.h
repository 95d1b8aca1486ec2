/* The slot table: what a step of an optimizer looks like to C. And the one door for a plugin's rules. */
#ifndef TRAINSTATION_H
#define TRAINSTATION_H

#include <float.h>
#include <stdint.h>

/* The same bits everywhere need every operation rounded by itself. GCC fuses multiplications and additions even of
 * intrinsics unless told not to; told here, so that a plugin's -O3 or -march=native brings no fused operation.
 * What loosens arithmetic on purpose must not be asked for (Clang's -ffp-contract=fast cannot be seen from here). */
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || \
    defined(__NO_SIGNED_ZEROS__) || __FINITE_MATH_ONLY__
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

enum { TS_MAX_STATES = 4, TS_MAX_SCALARS = 16, TS_BLOCK = 256 };
enum ts_isa { TS_SCALAR, TS_AVX2, TS_AVX512, TS_NEON, TS_N_ISAS };

/* The element type of p and g, and how the states are kept: as p, or (for float) narrower. */
enum ts_format { TS_FLOAT32, TS_FLOAT64, TS_BFLOAT16_STATE, TS_8BIT_STATE, TS_N_FORMATS };

/* What a narrower format does with a state: nothing, or what its signs allow. A rule lists one for each state. */
enum ts_kind { TS_EXACT, TS_SIGNED, TS_POSITIVE };
#define TS_KINDS(a, b, c, d) ((a) | (b) << 2 | (c) << 4 | (d) << 6)
#define TS_KIND(kinds, k) ((kinds) >> 2 * (k) & 3)

/* What parameters of one group and one step have in common. */
typedef struct ts_scalars {
    int64_t t;                     /* the step that is to be made, >= 1 */
    double value[TS_MAX_SCALARS]; /* rounded once to the element type */
} ts_scalars;

/* One parameter in one step. The arrays are contiguous, have n elements, may be misaligned, and overlap neither
 * one another nor another slot's; g is only read. */
typedef struct ts_slot {
    void *p;
    const void *g;
    void *state[TS_MAX_STATES];    /* in the order that the rule names them */
    uint8_t *scale[TS_MAX_STATES]; /* 8 bit: for each block of TS_BLOCK elements a power of two */
    const ts_scalars *scalars;
    int64_t *step; /* t - 1, advanced when the slot is done */
    int64_t n;
    int64_t first; /* how many elements the slots before this one have */
    double gscale; /* g * gscale is the gradient that the rule sees */
    int32_t rule;
    int32_t format;
} ts_slot;

/* Applies one rule to the elements begin .. end-1 of a slot; begin is a multiple of 4096, end too or n. */
typedef void ts_rule_fn(const ts_slot *slot, double gscale, int64_t begin, int64_t end);

typedef struct ts_rule {
    const char *name;
    int32_t n_states, n_scalars, kinds;
    ts_rule_fn *const *fn[TS_N_ISAS]; /* for each instruction set TS_N_FORMATS functions; NULL: a lower one serves */
} ts_rule;

/* What a plugin's library exports: const ts_plugin *trainstation_plugin_v1(void). */
enum { TS_ABI_VERSION = 1 };
typedef struct ts_plugin {
    uint32_t abi_version, plugin_size, rule_size, slot_size; /* TS_PLUGIN_HEAD fills them */
    int32_t n_rules;
    const ts_rule *rules;
} ts_plugin;
#define TS_PLUGIN_HEAD TS_ABI_VERSION, sizeof(ts_plugin), sizeof(ts_rule), sizeof(ts_slot)
#define TS_EXPORT __attribute__((visibility("default")))
TS_EXPORT const ts_plugin *trainstation_plugin_v1(void);

#endif
