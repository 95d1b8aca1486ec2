/* Windows that slide over the planes of an array, for convolution and pooling: each plane is the work of one thread, so
 * that the bits are the same for any number of threads. */
#include "kernels.h"
#include "networks.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum {
    LEAST_PARALLEL = 1 << 15, /* elements below which waking another thread costs more than it brings */
    PIECE = 1 << 13,
    SUM_LANES = 16,
    SUM_PART = 256
};

typedef struct job job;
typedef void plane_fn(const job *j, int64_t plane);
struct job {
    plane_fn *run;
    const ts_windows *windows;
    void *to;
    const void *from, *bias;
    void *sums;
    int32_t *at;
    int64_t n, together, channels, size; /* without windows */
    int64_t planes, grain;
    int counts_padding;
};

/* Along an axis, the windows whose place k lies inside the array: the first one, how many, where the first one's is. */
typedef struct {
    int64_t begin, count, first;
} span;

static span seen(const ts_windows *w, int axis, int64_t k) {
    const int64_t stride = w->stride[axis], shift = k * w->dilation[axis] - w->padding[axis];
    const int64_t begin = shift < 0 ? (stride - 1 - shift) / stride : 0;
    const int64_t inside = shift < w->size[axis] ? (w->size[axis] - shift + stride - 1) / stride : 0;
    const int64_t end = inside < w->out[axis] ? inside : w->out[axis];
    const span all = {begin, end - begin, begin * stride + shift}, none = {0, 0, 0};
    return begin < end ? all : none;
}

/* Which run of the columns is the first that a plane gives: blocks of `together` samples, in each channel by channel. */
static int64_t first_run(const ts_windows *w, int64_t plane) {
    const int64_t n = plane / w->channels, channel = plane % w->channels, block = n - n % w->together;
    return (block * w->channels + channel * w->together) * w->kernel[0] * w->kernel[1] + n % w->together;
}

/* Likewise, of matrices with one row for each channel. */
static int64_t run_at(const job *j, int64_t n, int64_t channel) {
    const int64_t block = n - n % j->together;
    return block * j->channels + channel * j->together + n % j->together;
}

/* By how many places along an axis the sum of a window is divided. */
static int64_t counted(const job *j, int axis, int64_t o) {
    const ts_windows *const w = j->windows;
    const int64_t beyond = j->counts_padding ? w->padding[axis] : 0;
    int64_t begin = o * w->stride[axis] - w->padding[axis], end = begin + w->kernel[axis];
    if (end > w->size[axis] + beyond) end = w->size[axis] + beyond;
    if (begin < -beyond) begin = -beyond;
    return end - begin;
}

#define PLANE(name) name##_32
#define elem float
#include "windows/planes.h"
#include "windows/pools.h"
#undef PLANE
#undef elem
#define PLANE(name) name##_64
#define elem double
#include "windows/planes.h"
#include "windows/pools.h"
#undef PLANE
#undef elem

static void piece(void *context, int64_t number) {
    const job *const j = (const job *)context;
    const int64_t begin = number * j->grain, end = begin + j->grain < j->planes ? begin + j->grain : j->planes;
    for (int64_t plane = begin; plane < end; plane++) j->run(j, plane);
}

/* Runs a job over so many planes; `size`: about how many elements are read or written for one. */
static void run(job *j, int64_t planes, int64_t size, int threads) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    j->planes = planes;
    j->grain = PIECE / (size + 1) + 1;
    ts_parallel(piece, j, (planes + j->grain - 1) / j->grain, planes * size < LEAST_PARALLEL ? 1 : threads);
    ts_fp_mode(caller);
}

#define EITHER(name) (is_double ? name##_64 : name##_32)

static int64_t unfolded(const ts_windows *w) { return w->out[0] * w->out[1] * w->kernel[0] * w->kernel[1]; }

void ts_unfold(const ts_windows *w, int threads, int is_double, void *columns, const void *x) {
    job j = {.run = EITHER(unfold), .windows = w, .to = columns, .from = x};
    run(&j, w->n * w->channels, unfolded(w), threads);
}

void ts_fold(const ts_windows *w, int threads, int is_double, void *x, const void *columns) {
    job j = {.run = EITHER(fold), .windows = w, .to = x, .from = columns};
    run(&j, w->n * w->channels, unfolded(w), threads);
}

void ts_spread(int threads, int is_double, void *to, const void *from, const void *bias, int64_t n, int64_t together,
               int64_t channels, int64_t size) {
    job j = {.run = EITHER(spread), .to = to, .from = from, .bias = bias, .n = n, .together = together,
             .channels = channels, .size = size};
    run(&j, n * channels, size, threads);
}

void ts_gather(int threads, int is_double, void *to, void *sums, const void *from, int64_t n, int64_t together,
               int64_t channels, int64_t size) {
    job j = {.run = EITHER(gather), .to = to, .from = from, .sums = sums, .n = n, .together = together,
             .channels = channels, .size = size};
    run(&j, channels, n * size, threads);
}

void ts_max_pool(const ts_windows *w, int threads, int is_double, void *y, int32_t *at, const void *x) {
    job j = {.run = EITHER(max_pool), .windows = w, .to = y, .at = at, .from = x};
    run(&j, w->n * w->channels, unfolded(w), threads);
}

void ts_max_pool_grad(const ts_windows *w, int threads, int is_double, void *x, const int32_t *at, const void *g) {
    job j = {.run = EITHER(max_pool_grad), .windows = w, .to = x, .at = (int32_t *)at, .from = g};
    run(&j, w->n * w->channels, w->size[0] * w->size[1], threads);
}

void ts_avg_pool(const ts_windows *w, int threads, int is_double, int counts_padding, void *y, const void *x) {
    job j = {.run = EITHER(avg_pool), .windows = w, .to = y, .from = x, .counts_padding = counts_padding};
    run(&j, w->n * w->channels, unfolded(w), threads);
}

void ts_avg_pool_grad(const ts_windows *w, int threads, int is_double, int counts_padding, void *x, const void *g) {
    job j = {.run = EITHER(avg_pool_grad), .windows = w, .to = x, .from = g, .counts_padding = counts_padding};
    run(&j, w->n * w->channels, unfolded(w), threads);
}
