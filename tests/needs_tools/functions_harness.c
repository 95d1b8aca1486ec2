/* Runs all of functions.c on drawn floats with one instruction set, and writes what comes of it: for processors that
 * Python does not run on here. Arguments: the instruction set. */
#include "kernels.h"
#include "networks.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 9, COLUMNS = 37, N = ROWS * COLUMNS };

static float drawn(uint32_t *state) { /* -4 .. 4 */
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / (float)(1 << 21) - 4;
}

static void say(const float *a, int n) { fwrite(a, sizeof *a, (size_t)n, stdout); }

int main(int argc, char **argv) {
    static float a[N], b[N], y[N], x[N], statistics[2 * ROWS], sums[2 * TS_NORM_PIECES * COLUMNS], losses[ROWS];
    int64_t targets[ROWS];
    uint32_t state = 1;
    const int isa = argc > 1 ? atoi(argv[1]) : 0;

    for (int i = 0; i < N; i++) a[i] = drawn(&state), b[i] = drawn(&state);
    for (int r = 0; r < ROWS; r++) targets[r] = r * 5 % COLUMNS;
    if (!ts_isa_usable(isa)) return 3;
    for (int map = 0; ts_map_name(map) != NULL; map++) {
        ts_map(isa, 1, map, 0, y, a, b, 0.3, N);
        say(y, N);
    }
    for (int is_log = 0; is_log < 2; is_log++) {
        ts_softmax(isa, 1, is_log, 0, y, a, ROWS, COLUMNS, 0, 1);
        say(y, N);
        ts_softmax_grad(isa, 1, is_log, 0, x, y, b, ROWS, COLUMNS, 1);
        say(x, N);
    }
    ts_softmax(isa, 1, 0, 0, y, a, ROWS, ROWS, ROWS, 0.7);
    say(y, ROWS * ROWS);
    if (ts_cross_entropy(isa, 1, 1, 0, losses, x, a, targets, ROWS, COLUMNS, 5, 0.1) != ROWS - 1) return 4;
    say(losses, ROWS);
    say(x, N);
    for (int is_centred = 0; is_centred < 2; is_centred++) {
        ts_normalize(isa, 1, is_centred, 0, y, statistics, a, b, is_centred ? b + COLUMNS : NULL, ROWS, COLUMNS, 1e-5);
        say(y, N);
        ts_normalize_grad(isa, 1, is_centred, 0, x, sums, a, b, b, statistics, ROWS, COLUMNS);
        say(x, N);
        say(sums, 2 * COLUMNS);
    }
    return 0;
}
