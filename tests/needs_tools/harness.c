/* Runs tables of slots from stdin, and writes what became of them to stdout: for processors that are not this one, and
 * for sanitizers. Arrays are allocated one by one, with not a byte to spare. tests/support/native.py is the other end. */
#include "kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mode { STEP, POWER, SQUARES, USABLE };
enum { MOST_SLOTS = 64, ARRAYS = 2 + 2 * TS_MAX_STATES };

typedef struct {
    int32_t mode, isa, format, threads;
    int32_t check, is_last; /* of its table */
    char rule[48];
    int64_t n, t;
    uint64_t fp_mode;            /* of the caller */
    int64_t bytes[ARRAYS];       /* p, g, states, scales */
    double gscale, max_norm, scalars[TS_MAX_SCALARS];
} header;

/* Linked in where the C rules of a plugin are to be run too. */
extern const ts_plugin *trainstation_plugin_v1(void) __attribute__((weak));

static int rule_named(const char *name) {
    for (int rule = 0; ts_rule_at(rule) != NULL; rule++)
        if (strcmp(ts_rule_at(rule)->name, name) == 0) return rule;
    fprintf(stderr, "no rule %s\n", name);
    exit(4);
}

static void *read_array(int64_t bytes) {
    void *array = bytes ? malloc((size_t)bytes) : NULL;
    if (bytes && (array == NULL || fread(array, 1, (size_t)bytes, stdin) != (size_t)bytes)) exit(1);
    return array;
}

static void step_table(header *h) {
    static ts_slot slots[MOST_SLOTS];
    static ts_scalars scalars[MOST_SLOTS];
    static int64_t steps[MOST_SLOTS];
    static void *arrays[MOST_SLOTS][ARRAYS];
    int64_t sizes[MOST_SLOTS][ARRAYS];
    int64_t first = 0;
    int n = 0;

    for (;; n++) {
        ts_slot *slot = &slots[n];
        if (n == MOST_SLOTS) exit(5);
        memcpy(sizes[n], h->bytes, sizeof sizes[n]);
        for (int k = 0; k < ARRAYS; k++) arrays[n][k] = read_array(h->bytes[k]);
        memset(slot, 0, sizeof *slot);
        slot->p = arrays[n][0];
        slot->g = arrays[n][1];
        for (int k = 0; k < TS_MAX_STATES; k++) {
            slot->state[k] = arrays[n][2 + k];
            slot->scale[k] = (uint8_t *)arrays[n][2 + TS_MAX_STATES + k];
        }
        scalars[n].t = h->t;
        memcpy(scalars[n].value, h->scalars, sizeof h->scalars);
        steps[n] = h->t - 1;
        slot->scalars = &scalars[n];
        slot->step = &steps[n];
        slot->n = h->n;
        slot->first = first;
        first += h->n;
        slot->gscale = h->gscale;
        slot->rule = rule_named(h->rule);
        slot->format = h->format;
        if (h->is_last) break;
        if (fread(h, sizeof *h, 1, stdin) != 1) exit(1);
    }
    n++;

    ts_call call = {0};
    call.slots = slots;
    call.n_slots = n;
    call.clip = 1;
    call.check = h->check;
    call.max_norm = h->max_norm;
    call.partial = (double *)malloc((size_t)(first / TS_CHUNK + n + 1) * sizeof(double));
    const uint64_t before = ts_fp_mode(h->fp_mode);
    const int result = ts_step(&call, h->isa, h->threads);
    if ((ts_fp_mode(before) ^ h->fp_mode) & ~UINT64_C(0x3f)) exit(3);
    for (int i = 0; i < n; i++)
        if (result == TS_DONE && steps[i] != scalars[i].t) exit(6);

    const double out[2] = {result, sqrt(call.squares)};
    fwrite(out, sizeof out, 1, stdout);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < ARRAYS; k++) {
            if (sizes[i][k]) fwrite(arrays[i][k], 1, (size_t)sizes[i][k], stdout);
            free(arrays[i][k]);
        }
    free(call.partial);
}

int main(void) {
    header h;
    if (trainstation_plugin_v1 != NULL) {
        const ts_plugin *plugin = trainstation_plugin_v1();
        if (ts_rules_add(plugin->rules, plugin->n_rules) < 0) return 7;
    }
    while (fread(&h, sizeof h, 1, stdin) == 1) {
        double answer = 0;
        if (h.mode != POWER && h.mode != USABLE && !ts_isa_usable(h.isa)) return 2;
        if (h.mode == STEP) {
            step_table(&h);
            continue;
        }
        if (h.mode == POWER) answer = ts_power(h.scalars[0], h.t);
        if (h.mode == USABLE) answer = ts_isa_usable(h.isa);
        if (h.mode == SQUARES) {
            void *g = read_array(h.bytes[0]);
            answer = ts_squares(h.isa, g, h.format == TS_FLOAT64, h.n);
            free(g);
        }
        fwrite(&answer, sizeof answer, 1, stdout);
    }
    return 0;
}
