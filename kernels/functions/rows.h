/* Softmax and its relatives on rows of a matrix, once for each element type. */

static const v_elem TS_FUN(lane)[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Elements i .. i + v_lanes - 1 of a row of n, with `rest` where there are none. */
TS_INLINE vf TS_FUN(part)(const v_elem *a, int64_t i, int64_t n, v_elem rest) {
    if (i + v_lanes <= n) return v_load(a + i);
    const vf x = v_load_n(a + i, n - i);
    return rest == 0 ? x : v_select(v_gt(v_set1((v_elem)(n - i)), v_load(TS_FUN(lane))), x, v_set1(rest));
}

/* The same of the first n elements of a longer row: -inf where there are none. Whole vectors, where the row has them,
 * can be loaded again at once after they are stored; parts cannot. */
TS_INLINE vf TS_FUN(first)(const v_elem *a, int64_t i, int64_t n, int64_t row) {
    const vf least = v_set1(-(v_elem)INFINITY);
    if (i + v_lanes <= n) return v_load(a + i);
    if (i + v_lanes > row) return TS_FUN(part)(a, i, n, -(v_elem)INFINITY);
    return v_select(v_gt(v_set1((v_elem)(n - i)), v_load(TS_FUN(lane))), v_load(a + i), least);
}

TS_INLINE void TS_FUN(put)(v_elem *a, vf x, int64_t i, int64_t n) {
    if (i + v_lanes <= n)
        v_store(a + i, x);
    else
        v_store_n(a + i, x, n - i);
}

TS_INLINE v_elem TS_FUN(largest)(const v_elem *a, int64_t n, int64_t row) {
    vf high = v_set1(-(v_elem)INFINITY);
    for (int64_t i = 0; i < n; i += v_lanes) {
        const vf x = TS_FUN(first)(a, i, n, row);
        high = v_select(v_gt(x, high), x, high);
    }
    return v_largest(high);
}

/* y = exp(scale * (x - most)), of which the sum is returned. */
TS_INLINE v_elem TS_FUN(exponentials)(v_elem *y, const v_elem *x, int64_t n, int64_t row, v_elem most,
                                         v_elem scale) {
    const vf high = v_set1(most), factor = v_set1(scale);
    vf sum = v_set1(0);
    for (int64_t i = 0; i < n; i += v_lanes) {
        const vf e = TS_FUN(exp)(v_mul(v_sub(TS_FUN(first)(x, i, n, row), high), factor));
        if (y != NULL) TS_FUN(put)(y, e, i, row);
        sum = v_add(sum, e);
    }
    return v_sum(sum);
}

/* y = softmax(scale * x), scale > 0. With a period, which is the number of columns then, row r has only its first
 * r % period + 1 elements: those of a causal mask, if rows are queries and columns keys. */
static void TS_FUN(softmax)(const ts_rows *c, int64_t begin, int64_t end) {
    const int64_t row = c->columns;
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const x = (const v_elem *)c->x + r * row;
        v_elem *const y = (v_elem *)c->y + r * row;
        const int64_t n = c->period > 0 ? r % c->period + 1 : row;
        const v_elem most = TS_FUN(largest)(x, n, row), sum = TS_FUN(exponentials)(y, x, n, row, most, (v_elem)c->scale);
        const vf factor = v_set1(1 / sum);
        int64_t i = 0;
        for (; i < n; i += v_lanes) TS_FUN(put)(y, v_mul(TS_FUN(part)(y, i, row, 0), factor), i, row);
        if (i < row) memset(y + i, 0, (size_t)(row - i) * sizeof *y);
    }
}

/* Of y = softmax(scale * x): x = scale * y * (g - sum(g * y)). */
static void TS_FUN(softmax_grad)(const ts_rows *c, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const y = (const v_elem *)c->y + r * n, *const g = (const v_elem *)c->g + r * n;
        v_elem *const x = (v_elem *)c->x + r * n;
        vf sum = v_set1(0);
        for (int64_t i = 0; i < n; i += v_lanes)
            sum = v_add(sum, v_mul(TS_FUN(part)(g, i, n, 0), TS_FUN(part)(y, i, n, 0)));
        const vf mean = v_set1(v_sum(sum)), factor = v_set1((v_elem)c->scale);
        for (int64_t i = 0; i < n; i += v_lanes) {
            const vf centred = v_sub(TS_FUN(part)(g, i, n, 0), mean);
            TS_FUN(put)(x, v_mul(v_mul(TS_FUN(part)(y, i, n, 0), factor), centred), i, n);
        }
    }
}

static void TS_FUN(log_softmax)(const ts_rows *c, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const x = (const v_elem *)c->x + r * n;
        const v_elem most = TS_FUN(largest)(x, n, n), sum = TS_FUN(exponentials)(NULL, x, n, n, most, 1);
        const vf high = v_set1(most), rest = v_set1((v_elem)log((double)sum));
        for (int64_t i = 0; i < n; i += v_lanes)
            TS_FUN(put)((v_elem *)c->y + r * n, v_sub(v_sub(TS_FUN(part)(x, i, n, 0), high), rest), i, n);
    }
}

/* Of y = log_softmax(x): x = g - exp(y) * sum(g). */
static void TS_FUN(log_softmax_grad)(const ts_rows *c, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const y = (const v_elem *)c->y + r * n, *const g = (const v_elem *)c->g + r * n;
        vf sum = v_set1(0);
        for (int64_t i = 0; i < n; i += v_lanes) sum = v_add(sum, TS_FUN(part)(g, i, n, 0));
        const vf total = v_set1(v_sum(sum));
        for (int64_t i = 0; i < n; i += v_lanes) {
            const vf share = v_mul(TS_FUN(exp)(TS_FUN(part)(y, i, n, 0)), total);
            TS_FUN(put)((v_elem *)c->x + r * n, v_sub(TS_FUN(part)(g, i, n, 0), share), i, n);
        }
    }
}

/* y[r] = log(sum(exp(x))) - (1 - smoothing) x[target] - smoothing * mean(x), and, if g is there, its gradient times
 * scale in g: scale * (softmax(x) - smoothing / columns), less scale * (1 - smoothing) at the target. */
static void TS_FUN(cross_entropy)(const ts_rows *c, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const x = (const v_elem *)c->x + r * n;
        v_elem *const loss = (v_elem *)c->y + r, *const g = c->g == NULL ? NULL : (v_elem *)c->g + r * n;
        const int64_t target = c->targets[r];
        if (target == c->ignored) {
            *loss = 0;
            if (g != NULL) memset(g, 0, (size_t)n * sizeof *g);
            continue;
        }
        const v_elem most = TS_FUN(largest)(x, n, n), sum = TS_FUN(exponentials)(g, x, n, n, most, 1);
        const double kept = 1 - c->smoothing;
        double wanted = kept * ((double)x[target] - most);
        if (c->smoothing > 0) {
            double all = 0;
            for (int64_t i = 0; i < n; i++) all += (double)x[i] - most;
            wanted += c->smoothing * all / (double)n;
        }
        *loss = (v_elem)(log((double)sum) - wanted);
        if (g == NULL) continue;
        const vf factor = v_set1((v_elem)(c->scale / sum)), even = v_set1((v_elem)(c->scale * c->smoothing / (double)n));
        for (int64_t i = 0; i < n; i += v_lanes)
            TS_FUN(put)(g, v_sub(v_mul(TS_FUN(part)(g, i, n, 0), factor), even), i, n);
        g[target] -= (v_elem)(c->scale * kept);
    }
}

/* y = max(y + x, 0), x being one row that is added to all. */
static void TS_FUN(bias_relu)(const ts_rows *c, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    for (int64_t r = begin; r < end; r++) {
        v_elem *const y = (v_elem *)c->y + r * n;
        for (int64_t i = 0; i < n; i += v_lanes) {
            const vf sum = v_add(TS_FUN(part)(y, i, n, 0), TS_FUN(part)((const v_elem *)c->x, i, n, 0));
            TS_FUN(put)(y, TS_FUN(relu)(sum, sum, sum), i, n);
        }
    }
}
