/* What networks compute between their matrix products: cut into pieces, for the threads of the pool. The pieces are the
 * same for any number of threads, and so are the bits. */
#include "kernels.h"
#include "networks.h"

#include <stddef.h>
#include <string.h>

/* Elements: of fewer, another thread brings less than it costs to take its processor from BLAS, whose threads spin. */
enum { LEAST_PARALLEL = 1 << 17, PIECE = 1 << 13 };

extern const ts_functions ts_functions_scalar;
#ifdef TS_X86
extern const ts_functions ts_functions_avx2, ts_functions_avx512;
#endif
#ifdef TS_ARM64
extern const ts_functions ts_functions_neon;
#endif

static const ts_functions *functions_of(int isa) {
    switch (isa) {
#ifdef TS_X86
    case TS_AVX2: return &ts_functions_avx2;
    case TS_AVX512: return &ts_functions_avx512;
#endif
#ifdef TS_ARM64
    case TS_NEON: return &ts_functions_neon;
#endif
    default: return &ts_functions_scalar;
    }
}

#define TS_MAP_NAME(name) #name,
const char *ts_map_name(int map) {
    static const char *const names[] = {TS_MAP_LIST(TS_MAP_NAME)};
    return map >= 0 && map < TS_N_MAPS ? names[map] : NULL;
}

/* A job: n rows, of which each piece takes so many. A map has rows of one element. */
typedef struct {
    const ts_functions *of;
    const ts_rows *rows;
    const ts_norm *norm;
    ts_map_fn *map;
    char *out;
    const char *a, *b;
    double h;
    int64_t n, grain;
    int kind, is_double;
} job;

static void run(job *j, ts_work_fn *work, int64_t columns, int threads) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    if (j->grain < 1) j->grain = 1;
    ts_parallel(work, j, (j->n + j->grain - 1) / j->grain, j->n * columns < LEAST_PARALLEL ? 1 : threads);
    ts_fp_mode(caller);
}

static int64_t end_of(const job *j, int64_t begin) { return begin + j->grain < j->n ? begin + j->grain : j->n; }

static void map_piece(void *context, int64_t piece) {
    const job *j = (const job *)context;
    const int64_t begin = piece * j->grain, size = j->is_double ? 8 : 4, at = begin * size;
    j->map(j->out + at, j->a + at, j->b + at, j->h, end_of(j, begin) - begin);
}

void ts_map(int isa, int threads, int map, int is_double, void *out, const void *a, const void *b, double h, int64_t n) {
    job j = {.out = (char *)out, .a = (const char *)a, .b = (const char *)b, .h = h, .n = n, .grain = PIECE};
    j.map = functions_of(isa)->map[is_double][map];
    j.is_double = is_double;
    run(&j, map_piece, 1, threads);
}

void ts_average(int isa, int is_double, void *average, const void *values, double weight, int64_t n) {
    if (weight == 1)
        memcpy(average, values, (size_t)n * (is_double ? sizeof(double) : sizeof(float)));
    else
        functions_of(isa)->map[is_double][TS_MAP_lerp](average, average, values, weight, n);
}

static void rows_piece(void *context, int64_t piece) {
    const job *j = (const job *)context;
    j->of->rows[j->kind][j->is_double](j->rows, piece * j->grain, end_of(j, piece * j->grain));
}

static void run_rows(int isa, int threads, int kind, int is_double, const ts_rows *c, int64_t rows) {
    job j = {.of = functions_of(isa), .rows = c, .n = rows, .kind = kind, .is_double = is_double};
    j.grain = PIECE / (c->columns + 1);
    run(&j, rows_piece, c->columns, threads);
}

void ts_softmax(int isa, int threads, int is_log, int is_double, void *y, const void *x, int64_t rows, int64_t columns,
                int64_t period, double scale) {
    const ts_rows c = {.x = x, .y = y, .columns = columns, .period = period, .scale = scale};
    run_rows(isa, threads, is_log ? TS_LOG_SOFTMAX : TS_SOFTMAX, is_double, &c, rows);
}

void ts_softmax_grad(int isa, int threads, int is_log, int is_double, void *x, const void *y, const void *g, int64_t rows,
                     int64_t columns, double scale) {
    const ts_rows c = {.x = x, .y = y, .g = g, .columns = columns, .scale = scale};
    run_rows(isa, threads, is_log ? TS_LOG_SOFTMAX_GRAD : TS_SOFTMAX_GRAD, is_double, &c, rows);
}

int64_t ts_cross_entropy(int isa, int threads, int is_mean, int is_double, void *loss, void *g, const void *x,
                         const int64_t *targets, int64_t rows, int64_t columns, int64_t ignored, double smoothing) {
    ts_rows c = {.x = x, .y = loss, .g = g, .targets = targets, .columns = columns, .ignored = ignored,
                 .scale = 1, .smoothing = smoothing};
    int64_t count = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (targets[r] == ignored) continue;
        if (targets[r] < 0 || targets[r] >= columns) return -1 - r;
        count++;
    }
    if (is_mean && count > 0) c.scale = 1 / (double)count;
    run_rows(isa, threads, TS_CROSS_ENTROPY, is_double, &c, rows);
    return count;
}

void ts_bias_relu(int isa, int threads, int is_double, void *y, const void *bias, int64_t rows, int64_t columns) {
    const ts_rows c = {.x = bias, .y = y, .columns = columns};
    run_rows(isa, threads, TS_BIAS_RELU, is_double, &c, rows);
}

static void normalize_piece(void *context, int64_t piece) {
    const job *j = (const job *)context;
    j->of->normalize[j->is_double](j->norm, piece * j->grain, end_of(j, piece * j->grain));
}

void ts_normalize(int isa, int threads, int is_centred, int is_double, void *y, void *statistics, const void *x,
                  const void *weight, const void *bias, int64_t rows, int64_t columns, double epsilon) {
    const ts_norm c = {.x = x, .weight = weight, .bias = bias, .y = y, .statistics = statistics, .columns = columns,
                       .epsilon = epsilon, .is_centred = is_centred};
    job j = {.of = functions_of(isa), .norm = &c, .n = rows, .is_double = is_double, .grain = PIECE / (columns + 1)};
    run(&j, normalize_piece, columns, threads);
}

static void normalize_grad_piece(void *context, int64_t piece) {
    const job *j = (const job *)context;
    j->of->normalize_grad[j->is_double](j->norm, piece, piece * j->grain, end_of(j, piece * j->grain));
}

void ts_normalize_grad(int isa, int threads, int is_centred, int is_double, void *by_x, void *sums, const void *x,
                       const void *g, const void *weight, const void *statistics, int64_t rows, int64_t columns) {
    const ts_norm c = {.x = x, .g = g, .weight = weight, .y = by_x, .statistics = (void *)statistics, .sums = sums,
                       .columns = columns, .is_centred = is_centred};
    job j = {.of = functions_of(isa), .norm = &c, .n = rows, .is_double = is_double};
    j.grain = (rows + TS_NORM_PIECES - 1) / TS_NORM_PIECES;
    if (j.grain * columns < PIECE) j.grain = PIECE / (columns + 1) + 1;
    run(&j, normalize_grad_piece, columns, threads);
    if (sums == NULL) return;
    for (int64_t piece = 1; piece * j.grain < rows; piece++)
        for (int64_t i = 0; i < 2 * columns; i++) {
            if (is_double)
                ((double *)sums)[i] += ((double *)sums)[2 * columns * piece + i];
            else
                ((float *)sums)[i] += ((float *)sums)[2 * columns * piece + i];
        }
}
