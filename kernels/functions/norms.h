/* Layers that normalize each row, once for each element type. */

/* statistics: for each row its mean (0 unless centred) and 1 / sqrt(variance about it + epsilon);
 * y = (x - mean) * that * weight + bias. */
static void TS_FUN(normalize)(const ts_norm *c, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    const v_elem *const weight = (const v_elem *)c->weight, *const bias = (const v_elem *)c->bias;
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const x = (const v_elem *)c->x + r * n;
        v_elem *const y = (v_elem *)c->y + r * n, *const statistics = (v_elem *)c->statistics + 2 * r;
        vf sum = v_set1(0), squares = v_set1(0);
        if (c->is_centred)
            for (int64_t i = 0; i < n; i += v_lanes) sum = v_add(sum, TS_FUN(part)(x, i, n, 0));
        const v_elem mean = v_sum(sum) / (v_elem)n;
        const vf middle = v_set1(mean);
        for (int64_t i = 0; i < n; i += v_lanes) {
            const vf d = v_sub(TS_FUN(part)(x, i, n, mean), middle);
            squares = v_add(squares, v_mul(d, d));
        }
        const double variance = (double)v_sum(squares) / (double)n;
        const v_elem factor = (v_elem)(1 / sqrt(variance + c->epsilon));
        for (int64_t i = 0; i < n; i += v_lanes) {
            vf d = v_mul(v_sub(TS_FUN(part)(x, i, n, 0), middle), v_set1(factor));
            if (weight != NULL) d = v_mul(d, TS_FUN(part)(weight, i, n, 0));
            if (bias != NULL) d = v_add(d, TS_FUN(part)(bias, i, n, 0));
            TS_FUN(put)(y, d, i, n);
        }
        statistics[0] = mean, statistics[1] = factor;
    }
}

/* With h = (x - mean) * factor: by_x = factor * (g * weight - mean(g * weight) - h * mean(g * weight * h)), and sums over
 * the rows of g * h and g, of which each piece keeps its own: sums is 2 rows of columns for each piece. */
static void TS_FUN(normalize_grad)(const ts_norm *c, int64_t piece, int64_t begin, int64_t end) {
    const int64_t n = c->columns;
    const v_elem *const weight = (const v_elem *)c->weight;
    v_elem *const by_weight = c->sums == NULL ? NULL : (v_elem *)c->sums + 2 * n * piece;
    if (by_weight != NULL) memset(by_weight, 0, (size_t)(2 * n) * sizeof *by_weight);
    for (int64_t r = begin; r < end; r++) {
        const v_elem *const x = (const v_elem *)c->x + r * n, *const g = (const v_elem *)c->g + r * n;
        const v_elem *const statistics = (const v_elem *)c->statistics + 2 * r;
        const vf middle = v_set1(statistics[0]), factor = v_set1(statistics[1]);
        vf plain = v_set1(0), along = v_set1(0);
        for (int64_t i = 0; i < n; i += v_lanes) {
            const vf h = v_mul(v_sub(TS_FUN(part)(x, i, n, statistics[0]), middle), factor);
            vf d = TS_FUN(part)(g, i, n, 0);
            if (by_weight != NULL) {
                TS_FUN(put)(by_weight, v_add(TS_FUN(part)(by_weight, i, n, 0), v_mul(d, h)), i, n);
                TS_FUN(put)(by_weight + n, v_add(TS_FUN(part)(by_weight + n, i, n, 0), d), i, n);
            }
            if (weight != NULL) d = v_mul(d, TS_FUN(part)(weight, i, n, 0));
            plain = v_add(plain, d);
            along = v_add(along, v_mul(d, h));
        }
        if (c->y == NULL) continue;
        const vf first = v_set1(c->is_centred ? v_sum(plain) / (v_elem)n : 0);
        const vf second = v_set1(v_sum(along) / (v_elem)n);
        for (int64_t i = 0; i < n; i += v_lanes) {
            const vf h = v_mul(v_sub(TS_FUN(part)(x, i, n, 0), middle), factor);
            vf d = TS_FUN(part)(g, i, n, 0);
            if (weight != NULL) d = v_mul(d, TS_FUN(part)(weight, i, n, 0));
            TS_FUN(put)((v_elem *)c->y + r * n, v_mul(factor, v_sub(v_sub(d, first), v_mul(h, second))), i, n);
        }
    }
}
