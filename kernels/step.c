/* One call for everything: all slots of all groups, checked, measured and stepped by all threads. */
#include "kernels.h"
#include "networks.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

extern ts_squares_fn ts_squares_scalar, ts_squares_avx2, ts_squares_avx512, ts_squares_neon;

static ts_squares_fn *const squares[TS_N_ISAS] = {
    [TS_SCALAR] = ts_squares_scalar,
#ifdef TS_X86
    [TS_AVX2] = ts_squares_avx2,
    [TS_AVX512] = ts_squares_avx512,
#endif
#ifdef TS_ARM64
    [TS_NEON] = ts_squares_neon,
#endif
};

static int is_double(const ts_slot *slot) { return slot->format == TS_FLOAT64; }

static int64_t partial_of(const ts_call *call, int64_t slot) { return call->slots[slot].first / TS_CHUNK + slot; }

static void measure_part(const ts_call *call, int64_t i, int64_t begin, int64_t end) {
    const ts_slot *slot = &call->slots[i];
    const int64_t size = is_double(slot) ? sizeof(double) : sizeof(float);
    for (; begin < end; begin += TS_CHUNK) {
        const int64_t n = end - begin < TS_CHUNK ? end - begin : TS_CHUNK;
        call->partial[partial_of(call, i) + begin / TS_CHUNK] =
            squares[call->isa]((const char *)slot->g + begin * size, is_double(slot), n);
    }
}

/* For double, whose large finite numbers have infinite squares. */
static int all_finite(const ts_slot *slot) {
    for (int64_t k = 0; k < slot->n; k++) {
        double x;
        memcpy(&x, (const char *)slot->g + k * (int64_t)sizeof x, sizeof x);
        if (x - x != 0) return 0;
    }
    return 1;
}

/* The norm of all gradients; the first slot that has one which is not finite, or -1. */
static int64_t measure(ts_call *call) {
    double total = 0;
    int64_t wrong = -1;
    ts_walk(call, measure_part);
    for (int64_t i = 0; i < call->n_slots; i++) {
        const ts_slot *slot = &call->slots[i];
        const double *partial = call->partial + partial_of(call, i);
        double sum = 0;
        for (int64_t begin = 0; begin < slot->n; begin += TS_CHUNK) sum += *partial++;
        total += sum;
        if (wrong >= 0 || sum - sum == 0) continue;
        if (!is_double(slot) || !all_finite(slot)) wrong = i;
    }
    call->norm = sqrt(total);
    return wrong;
}

/* While the new values are in a cache; pieces that fit into the first one are no faster. */
static void average_part(const ts_call *call, int64_t i, int64_t begin, int64_t end) {
    const ts_slot *slot = &call->slots[i];
    const int64_t at = begin * (int64_t)(is_double(slot) ? sizeof(double) : sizeof(float));
    ts_average(call->isa, is_double(slot), (char *)call->averages[i] + at, (const char *)slot->p + at, call->weight,
               end - begin);
}

static void step_part(const ts_call *call, int64_t i, int64_t begin, int64_t end) {
    const ts_slot *slot = &call->slots[i];
    ts_rule_fn *fn = ts_rule_fn_at(call->isa, slot->rule, slot->format);
    while (begin < end) { /* stored states: no call crosses a multiple of 2^32 */
        const int64_t multiple = (begin / TS_MOST_PIECE + 1) * TS_MOST_PIECE, stop = end < multiple ? end : multiple;
        fn(slot, slot->gscale * call->clip, begin, stop);
        if (call->averages) average_part(call, i, begin, stop);
        begin = stop;
    }
}

/* Whether every counter is that of the scalars, every parameter has the array and the gradient that it had, and every
 * array is where it was, and writable. Python gives no notice when one is replaced, frozen or moved; the objects are held
 * by the caller. */
static int check(const ts_call *call) {
    enum { WRITEABLE = 0x0400 };
    for (int64_t i = 0; i < call->n_slots; i++)
        if (*call->slots[i].step + 1 != call->slots[i].scalars->t) return TS_STALE;
    for (int64_t i = 0; i < call->n_references; i++)
        if (*call->references[i].at != call->references[i].to) return TS_OTHER;
    for (int64_t i = 0; i < call->n_arrays; i++) {
        const ts_array *array = &call->arrays[i];
        if (*(const void *const *)(array->object + call->data_offset) != array->data ||
            !(*(const int *)(array->object + call->flags_offset) & WRITEABLE))
            return TS_MOVED;
    }
    return TS_DONE;
}

/* The caller has checked what Python can see: isa is usable, rules and formats exist, arrays are as trainstation.h
 * says. Unless TS_DONE is returned, nothing has been changed. */
int ts_step(ts_call *call, int isa, int threads) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    int result = check(call);

    call->isa = isa;
    call->threads = threads;
    if (result == TS_DONE && call->check) {
        const int64_t wrong = measure(call);
        call->clip = 1;
        if (call->max_norm > 0) {
            const double factor = call->max_norm / (call->norm + 1e-6);
            if (!(factor >= 1)) call->clip = factor;
        }
        if (wrong >= 0 && (call->check & TS_FINITE)) call->slot = wrong, result = TS_NONFINITE;
    }
    if (result == TS_DONE) {
        ts_walk(call, step_part);
        for (int64_t i = 0; i < call->n_slots; i++) ++*call->slots[i].step;
    }
    ts_fp_mode(caller);
    return result;
}

/* The sum of the squares of one array, as ts_step adds it up. */
double ts_squares(int isa, const void *g, int is_wide, int64_t n) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    const int64_t size = is_wide ? sizeof(double) : sizeof(float);
    double sum = 0;
    for (int64_t begin = 0; begin < n; begin += TS_CHUNK)
        sum += squares[isa]((const char *)g + begin * size, is_wide, n - begin < TS_CHUNK ? n - begin : TS_CHUNK);
    ts_fp_mode(caller);
    return sum;
}
