/* Runs kernels over cases from stdin, and writes what they wrote to stdout: for processors that are not this one. */
#include "kernels.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    int32_t isa, rule, dtype, n_states; /* isa -1: power(scalars[0], n) */
    int64_t n;
    uint64_t fp_mode; /* of the caller */
    double gscale, scalars[TS_MAX_SCALARS];
} header;

static void *read_array(size_t bytes) {
    void *array = malloc(bytes + 1);
    if (array == NULL || fread(array, 1, bytes, stdin) != bytes) exit(1);
    return array;
}

int main(void) {
    header h;
    while (fread(&h, sizeof h, 1, stdin) == 1) {
        const size_t bytes = (size_t)h.n * (h.dtype == TS_FLOAT32 ? sizeof(float) : sizeof(double));
        int64_t step = 0;
        ts_slot slot = {0};
        void *g;

        if (h.isa < 0) {
            const double power = ts_power(h.scalars[0], h.n);
            fwrite(&power, sizeof power, 1, stdout);
            continue;
        }
        if (!ts_isa_usable(h.isa)) return 2;
        slot.p = read_array(bytes);
        slot.g = g = read_array(bytes);
        for (int k = 0; k < h.n_states; k++) slot.state[k] = read_array(bytes);
        slot.scalars = h.scalars;
        slot.step = &step;
        slot.n = h.n;
        slot.gscale = h.gscale;
        slot.rule = h.rule;
        slot.dtype = h.dtype;

        const uint64_t before = ts_fp_mode(h.fp_mode);
        ts_step(h.isa, &slot, 1);
        if (ts_fp_mode(before) != h.fp_mode || step != 1) return 3;

        fwrite(slot.p, 1, bytes, stdout);
        free(slot.p);
        free(g);
        for (int k = 0; k < h.n_states; k++) {
            fwrite(slot.state[k], 1, bytes, stdout);
            free(slot.state[k]);
        }
    }
    return 0;
}
