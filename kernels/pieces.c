/* The slots of a call, cut into pieces of about one size: many small ones in one, a large one in many. */
#include "kernels.h"

enum {
    LEAST_PARALLEL = 1 << 15, /* elements below which waking another thread costs more than it brings */
    LEAST_PIECE = 1 << 14,    /* like TS_MOST_PIECE a multiple of TS_CHUNK */
    PIECES_PER_THREAD = 8
};

typedef struct {
    const ts_call *call;
    ts_part_fn *part;
    int64_t total, grain;
} job;

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
        if (first < last) j->part(j->call, i, first, last);
    }
}

void ts_walk(const ts_call *call, ts_part_fn *part) {
    if (call->n_slots == 0) return;
    const ts_slot *last = &call->slots[call->n_slots - 1];
    job j = {call, part, last->first + last->n, TS_MOST_PIECE};
    const int threads = j.total < LEAST_PARALLEL ? 1 : call->threads;
    while (j.grain > LEAST_PIECE && j.total / j.grain < (int64_t)threads * PIECES_PER_THREAD) j.grain /= 2;
    if (threads == 1) j.grain = j.total + 1;
    ts_parallel(work, &j, j.total / j.grain + 1, threads);
}
