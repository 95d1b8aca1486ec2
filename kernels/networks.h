/* What networks need between their matrix products, for Python (kernels.cdef.txt repeats it for cffi) and for our own C
 * tests. */
#ifndef TS_NETWORKS_H
#define TS_NETWORKS_H

#include <stdint.h>

/* functions.c: what networks compute between their matrix products. Arrays are contiguous, of float or double, and where
 * they are written to overlap no other, but for a map's, which may be in place. */
#include "functions/map_list.h"
#define TS_MAP_PLACE(name) TS_MAP_##name,
enum ts_map_kind { TS_MAP_LIST(TS_MAP_PLACE) TS_N_MAPS };
enum ts_row_kind { TS_SOFTMAX, TS_SOFTMAX_GRAD, TS_LOG_SOFTMAX, TS_LOG_SOFTMAX_GRAD, TS_CROSS_ENTROPY, TS_BIAS_RELU, TS_N_ROW_KINDS };
const char *ts_map_name(int map); /* NULL past the last one */
/* out = f(a, b, h), element by element; functions/maps.h says what they are. */
void ts_map(int isa, int threads, int map, int is_double, void *out, const void *a, const void *b, double h, int64_t n);
/* average += weight * (values - average), or with weight 1 the values themselves; on this thread, in its mode. */
void ts_average(int isa, int is_double, void *average, const void *values, double weight, int64_t n);
/* Row by row, into y: softmax(scale * x), with a causal mask if period > 0; or log_softmax(x). */
void ts_softmax(int isa, int threads, int is_log, int is_double, void *y, const void *x, int64_t rows, int64_t columns,
                int64_t period, double scale);
/* Into x, from the value y and its gradient g. */
void ts_softmax_grad(int isa, int threads, int is_log, int is_double, void *x, const void *y, const void *g, int64_t rows,
                     int64_t columns, double scale);
/* Losses of rows of x, and with g their gradients; divided by the number of rows that count if is_mean. Returns that
 * number, or -1 - r if the target of row r is no column; then nothing is written. */
int64_t ts_cross_entropy(int isa, int threads, int is_mean, int is_double, void *loss, void *g, const void *x,
                         const int64_t *targets, int64_t rows, int64_t columns, int64_t ignored, double smoothing);
/* y = max(y + bias, 0), row by row. */
void ts_bias_relu(int isa, int threads, int is_double, void *y, const void *bias, int64_t rows, int64_t columns);
/* (x - mean) / sqrt(variance + epsilon) * weight + bias, row by row; weight and bias may be NULL; statistics: two numbers
 * a row, for the gradient. */
void ts_normalize(int isa, int threads, int is_centred, int is_double, void *y, void *statistics, const void *x,
                  const void *weight, const void *bias, int64_t rows, int64_t columns, double epsilon);
/* by_x, and in sums (2 * TS_NORM_PIECES * columns of room) first the gradient of weight, then that of bias; either may be
 * NULL. */
enum { TS_NORM_PIECES = 16 };
void ts_normalize_grad(int isa, int threads, int is_centred, int is_double, void *by_x, void *sums, const void *x,
                       const void *g, const void *weight, const void *statistics, int64_t rows, int64_t columns);

/* What each instruction set has of them: for float and double. */
typedef struct ts_rows {
    const void *x, *y, *g; /* which of them is written to depends on the kind */
    const int64_t *targets;
    int64_t columns, period, ignored;
    double scale, smoothing;
} ts_rows;
typedef struct ts_norm {
    const void *x, *g, *weight, *bias;
    void *y, *statistics, *sums;
    int64_t columns;
    double epsilon;
    int is_centred;
} ts_norm;
typedef void ts_map_fn(void *out, const void *a, const void *b, double h, int64_t n);
typedef struct ts_functions {
    ts_map_fn *map[2][TS_N_MAPS];
    void (*rows[TS_N_ROW_KINDS][2])(const ts_rows *c, int64_t begin, int64_t end);
    void (*normalize[2])(const ts_norm *c, int64_t begin, int64_t end);
    void (*normalize_grad[2])(const ts_norm *c, int64_t piece, int64_t begin, int64_t end);
} ts_functions;

/* windows.c: windows that slide over planes, the last two dimensions of a contiguous array (n, channels, size). What is
 * written to overlaps nothing else. */
typedef struct ts_windows {
    int64_t n, channels, together; /* together: see ts_unfold; it divides n */
    int64_t size[2], out[2], kernel[2], stride[2], padding[2], dilation[2]; /* padding: before the first element */
} ts_windows;
/* columns (n / together, channels, kernel, together, out): what each place of the window sees, 0 beyond the edges.
 * ts_fold adds it up again. */
void ts_unfold(const ts_windows *w, int threads, int is_double, void *columns, const void *x);
void ts_fold(const ts_windows *w, int threads, int is_double, void *x, const void *columns);
/* (n / together, channels, together, size) to (n, channels, size), with a bias for each channel; and back, with the sums
 * of each channel. The bias, and what gather writes, may be NULL. */
void ts_spread(int threads, int is_double, void *to, const void *from, const void *bias, int64_t n, int64_t together,
               int64_t channels, int64_t size);
void ts_gather(int threads, int is_double, void *to, void *sums, const void *from, int64_t n, int64_t together,
               int64_t channels, int64_t size);
/* at: for each window the place of its maximum in its plane, which has at most INT32_MAX elements; -1 if the window sees
 * none of them. */
void ts_max_pool(const ts_windows *w, int threads, int is_double, void *y, int32_t *at, const void *x);
void ts_max_pool_grad(const ts_windows *w, int threads, int is_double, void *x, const int32_t *at, const void *g);
/* Dilation is 1. counts_padding: the mean is over the padding too. */
void ts_avg_pool(const ts_windows *w, int threads, int is_double, int counts_padding, void *y, const void *x);
void ts_avg_pool_grad(const ts_windows *w, int threads, int is_double, int counts_padding, void *x, const void *g);

#endif
