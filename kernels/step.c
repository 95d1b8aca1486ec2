/* One call for everything: all slots of all groups, checked, measured and stepped by all threads. */
#include "kernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum {
    LEAST_PARALLEL = 1 << 15, /* elements below which waking another thread costs more than it brings */
    LEAST_PIECE = 1 << 14,    /* all of these are multiples of TS_CHUNK */
    MOST_PIECE = 1 << 18,
    PIECES_PER_THREAD = 8
};

typedef struct job job;
typedef void part_fn(const job *j, int64_t slot, int64_t begin, int64_t end);
struct job {
    const ts_call *call;
    part_fn *part;
    int64_t total, grain;
};

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

/* The place in a slot of an edge between two pieces: they are cut at multiples of TS_CHUNK. */
static int64_t edge(const ts_slot *slot, int64_t at) {
    if (at <= slot->first) return 0;
    if (at >= slot->first + slot->n) return slot->n;
    return (at - slot->first) / TS_CHUNK * TS_CHUNK;
}

/* The last slot that begins at or before an element. */
static int64_t slot_at(const ts_call *call, int64_t at) {
    int64_t low = 0, high = call->n_slots - 1;
    while (low < high) {
        const int64_t middle = low + (high - low + 1) / 2;
        if (call->slots[middle].first <= at)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static void work(void *context, int64_t piece) {
    const job *j = (const job *)context;
    const int64_t begin = piece * j->grain, end = begin + j->grain;
    for (int64_t i = slot_at(j->call, begin); i < j->call->n_slots && j->call->slots[i].first < end; i++) {
        const ts_slot *slot = &j->call->slots[i];
        const int64_t first = edge(slot, begin), last = edge(slot, end);
        if (first < last) j->part(j, i, first, last);
    }
}

static void run(const ts_call *call, part_fn *part) {
    if (call->n_slots == 0) return;
    const ts_slot *last = &call->slots[call->n_slots - 1];
    job j = {call, part, last->first + last->n, MOST_PIECE};
    const int threads = j.total < LEAST_PARALLEL ? 1 : call->threads;
    while (j.grain > LEAST_PIECE && j.total / j.grain < (int64_t)threads * PIECES_PER_THREAD) j.grain /= 2;
    if (threads == 1) j.grain = j.total + 1;
    ts_parallel(work, &j, j.total / j.grain + 1, threads);
}

static int64_t partial_of(const ts_call *call, int64_t slot) { return call->slots[slot].first / TS_CHUNK + slot; }

static void measure_part(const job *j, int64_t i, int64_t begin, int64_t end) {
    const ts_call *call = j->call;
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
    run(call, measure_part);
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

static void step_part(const job *j, int64_t i, int64_t begin, int64_t end) {
    const ts_slot *slot = &j->call->slots[i];
    ts_rule_fn *fn = ts_rule_fn_at(j->call->isa, slot->rule, slot->format);
    while (begin < end) { /* stored states: no call crosses a multiple of 2^32 */
        const int64_t multiple = (begin / MOST_PIECE + 1) * MOST_PIECE, stop = end < multiple ? end : multiple;
        fn(slot, slot->gscale * j->call->clip, begin, stop);
        begin = stop;
    }
}

/* Whether every counter is that of the scalars, every parameter has the array and the gradient that it had, and every
 * array is where it was, and writable. Python tells nobody when one is replaced, frozen or moved; the objects are held
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
        run(call, step_part);
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
