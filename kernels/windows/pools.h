/* Pooling of one plane; include it once for each `elem`, with PLANE(name) to tell the names apart. */

static void PLANE(take_larger)(elem *restrict best, int32_t *restrict at, const elem *restrict x, int64_t first,
                               int64_t stride, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const elem value = x[first + i * stride];
        const int is_better = (value > best[i]) | (value != value) | (at[i] < 0);
        best[i] = is_better ? value : best[i];
        at[i] = is_better ? (int32_t)(first + i * stride) : at[i];
    }
}

/* The largest of each window and its place in the plane, -1 if the window sees nothing: of equal ones the first, of NaNs
 * the last, as in torch. */
static void PLANE(max_pool)(const job *j, int64_t plane) {
    const ts_windows *const w = j->windows;
    const int64_t width = w->out[1], stride = w->stride[1];
    const elem *const x = (const elem *)j->from + plane * w->size[0] * w->size[1];
    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        elem *const best = (elem *)j->to + (plane * w->out[0] + oy) * width;
        int32_t *const at = j->at + (plane * w->out[0] + oy) * width;
        for (int64_t ox = 0; ox < width; ox++) best[ox] = (elem)-INFINITY, at[ox] = -1;
        for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
            const int64_t y = oy * w->stride[0] + ky * w->dilation[0] - w->padding[0];
            if (y < 0 || y >= w->size[0]) continue;
            for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
                const span columns = seen(w, 1, kx);
                PLANE(take_larger)(best + columns.begin, at + columns.begin, x, y * w->size[1] + columns.first, stride,
                                   columns.count);
            }
        }
    }
}

static void PLANE(max_pool_grad)(const job *j, int64_t plane) {
    const ts_windows *const w = j->windows;
    const int64_t out_size = w->out[0] * w->out[1], size = w->size[0] * w->size[1];
    const elem *const g = (const elem *)j->from + plane * out_size;
    const int32_t *const at = j->at + plane * out_size;
    elem *const x = (elem *)j->to + plane * size;
    memset(x, 0, (size_t)size * sizeof(elem));
    for (int64_t i = 0; i < out_size; i++)
        if (at[i] >= 0) x[at[i]] += g[i];
}

/* The mean of each window. */
static void PLANE(avg_pool)(const job *j, int64_t plane) {
    const ts_windows *const w = j->windows;
    const int64_t width = w->out[1], stride = w->stride[1];
    const elem *const x = (const elem *)j->from + plane * w->size[0] * w->size[1];
    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        elem *const sum = (elem *)j->to + (plane * w->out[0] + oy) * width;
        for (int64_t ox = 0; ox < width; ox++) sum[ox] = 0;
        for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
            const int64_t y = oy * w->stride[0] + ky - w->padding[0];
            if (y < 0 || y >= w->size[0]) continue;
            for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
                const span columns = seen(w, 1, kx);
                const elem *const row = x + y * w->size[1] + columns.first;
                for (int64_t i = 0; i < columns.count; i++) sum[columns.begin + i] += row[i * stride];
            }
        }
        const int64_t rows = counted(j, 0, oy);
        for (int64_t ox = 0; ox < width; ox++) sum[ox] /= (elem)(rows * counted(j, 1, ox));
    }
}

static void PLANE(avg_pool_grad)(const job *j, int64_t plane) {
    const ts_windows *const w = j->windows;
    const int64_t width = w->out[1], stride = w->stride[1], size = w->size[0] * w->size[1];
    elem *const x = (elem *)j->to + plane * size;
    memset(x, 0, (size_t)size * sizeof(elem));
    for (int64_t oy = 0; oy < w->out[0]; oy++) {
        const elem *const g = (const elem *)j->from + (plane * w->out[0] + oy) * width;
        const int64_t rows = counted(j, 0, oy);
        for (int64_t ky = 0; ky < w->kernel[0]; ky++) {
            const int64_t y = oy * w->stride[0] + ky - w->padding[0];
            if (y < 0 || y >= w->size[0]) continue;
            for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
                const span columns = seen(w, 1, kx);
                elem *const row = x + y * w->size[1] + columns.first;
                for (int64_t i = 0, ox = columns.begin; i < columns.count; i++, ox++)
                    row[i * stride] += g[ox] / (elem)(rows * counted(j, 1, ox));
            }
        }
    }
}
