/* The sum of the squares of at most TS_CHUNK elements, in double and in one order on every processor: element i is
 * added in lane i % 16, then the lanes in halves. The same text in NumPy: trainstation/optimizers/elementwise.py. */

enum { TS_SUM_LANES = 16, TS_SUMS = TS_SUM_LANES / v64_lanes };

TS_INLINE v64_t ts_square(v64_t x) { return v64_mul(x, x); }

extern ts_squares_fn TS_SQUARES;
double TS_SQUARES(const void *g, int is_double, int64_t n) {
    const float *single = (const float *)g;
    const double *wide = (const double *)g;
    double lane[TS_SUM_LANES] = {0};
    v64_t sum[TS_SUMS];
    int64_t i = 0;

    for (int k = 0; k < TS_SUMS; k++) sum[k] = v64_set1(0);
    if (is_double) {
        for (; i + TS_SUM_LANES <= n; i += TS_SUM_LANES)
            for (int k = 0; k < TS_SUMS; k++) sum[k] = v64_add(sum[k], ts_square(v64_load(wide + i + k * v64_lanes)));
        memcpy(lane, (const void *)(wide + i), (size_t)(n - i) * sizeof *lane);
    } else {
        float rest[TS_SUM_LANES] = {0};
        for (; i + TS_SUM_LANES <= n; i += TS_SUM_LANES)
            for (int k = 0; k < TS_SUMS; k++) sum[k] = v64_add(sum[k], ts_square(v64_widen(single + i + k * v64_lanes)));
        memcpy(rest, (const void *)(single + i), (size_t)(n - i) * sizeof *rest);
        for (int j = 0; j < TS_SUM_LANES; j++) lane[j] = rest[j];
    }
    for (int k = 0; k < TS_SUMS; k++) {
        sum[k] = v64_add(sum[k], ts_square(v64_load(lane + k * v64_lanes)));
        v64_store(lane + k * v64_lanes, sum[k]);
    }
    for (int half = TS_SUM_LANES / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) lane[j] += lane[j + half];
    return lane[0];
}
