/* One call for everything: all slots of all groups, checked, measured and stepped by all threads. */
#include "kernels.h"
#include "networks.h"

#include <math.h>
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

/* Adds up the squares of all gradients, and finds the first slot that has one which is not finite. */
static void measure(ts_call *call) {
    double total = 0;
    call->slot = -1;
    ts_walk(call, measure_part);
    for (int64_t i = 0; i < call->n_slots; i++) {
        const ts_slot *slot = &call->slots[i];
        const double *partial = call->partial + partial_of(call, i);
        double sum = 0;
        for (int64_t begin = 0; begin < slot->n; begin += TS_CHUNK) sum += *partial++;
        total += sum;
        if (call->slot >= 0 || sum - sum == 0) continue;
        if (!is_double(slot) || !all_finite(slot)) call->slot = i;
    }
    call->squares = total;
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

/* Whether every counter is that of the scalars: Python gives no notice when one is written to. */
static int counters_agree(const ts_call *call) {
    for (int64_t i = 0; i < call->n_slots; i++) {
        const ts_slot *slot = &call->slots[i];
        if (slot->scalars && *slot->step + 1 != slot->scalars->t) return 0;
    }
    return 1;
}

static void count(const ts_call *call) {
    for (int64_t i = 0; i < call->n_slots; i++)
        if (call->slots[i].scalars) ++*call->slots[i].step;
    if (call->n_averaged) ++*call->n_averaged;
}

/* The caller has checked what Python can see: isa is usable, rules and formats exist, arrays are as trainstation.h
 * says. Unless TS_DONE is returned, nothing has been changed. */
int ts_step(ts_call *call, int isa, int threads) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    int result = counters_agree(call) ? TS_DONE : TS_STALE;

    call->isa = isa;
    call->threads = threads;
    if (result == TS_DONE && call->check) {
        measure(call);
        call->clip = 1;
        if (call->max_norm > 0) {
            const double factor = call->max_norm / (sqrt(call->squares) + 1e-6);
            if (!(factor >= 1)) call->clip = factor;
        }
        if (call->slot >= 0 && (call->check & TS_FINITE)) result = TS_NONFINITE;
    }
    if (result == TS_DONE && !(call->check & TS_MEASURE)) {
        ts_walk(call, step_part);
        count(call);
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
