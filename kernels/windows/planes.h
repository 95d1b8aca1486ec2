/* What is done with one plane of an array; include it once for each `elem`, with PLANE(name) to tell the names apart. */

/* Runs are often short: a call of memcpy for each costs more than the copy. The last ones may be copied twice. */
static void PLANE(copy)(elem *restrict to, const elem *restrict from, int64_t n) {
    if (n >= 8) {
        for (int64_t i = 0; i + 8 < n; i += 8) memcpy(to + i, from + i, 8 * sizeof(elem));
        memcpy(to + n - 8, from + n - 8, 8 * sizeof(elem));
    } else if (n >= 4) {
        memcpy(to, from, 4 * sizeof(elem));
        memcpy(to + n - 4, from + n - 4, 4 * sizeof(elem));
    } else
        for (int64_t i = 0; i < n; i++) to[i] = from[i];
}

static void PLANE(add)(elem *restrict to, const elem *restrict from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* columns = what each place of the window sees of plane x, 0 beyond its edges. */
static void PLANE(unfold)(const job *j, int64_t plane) {
    const ts_windows *const w = j->windows;
    const int64_t out_size = w->out[0] * w->out[1], stride = w->stride[1];
    const elem *const x = (const elem *)j->from + plane * w->size[0] * w->size[1];
    elem *to = (elem *)j->to + first_run(w, plane) * out_size;
    for (int64_t ky = 0; ky < w->kernel[0]; ky++)
        for (int64_t kx = 0; kx < w->kernel[1]; kx++, to += w->together * out_size) {
            const span rows = seen(w, 0, ky), columns = seen(w, 1, kx);
            if (rows.count * columns.count < out_size) memset(to, 0, (size_t)out_size * sizeof(elem));
            for (int64_t i = 0; i < rows.count; i++) {
                const elem *const row = x + (rows.first + i * w->stride[0]) * w->size[1] + columns.first;
                elem *const run = to + (rows.begin + i) * w->out[1] + columns.begin;
                if (stride == 1)
                    PLANE(copy)(run, row, columns.count);
                else
                    for (int64_t k = 0; k < columns.count; k++) run[k] = row[k * stride];
            }
        }
}

/* Plane x = the sum of all that unfold would have taken from it. */
static void PLANE(fold)(const job *j, int64_t plane) {
    const ts_windows *const w = j->windows;
    const int64_t out_size = w->out[0] * w->out[1], stride = w->stride[1];
    elem *const x = (elem *)j->to + plane * w->size[0] * w->size[1];
    const elem *from = (const elem *)j->from + first_run(w, plane) * out_size;
    memset(x, 0, (size_t)(w->size[0] * w->size[1]) * sizeof(elem));
    for (int64_t ky = 0; ky < w->kernel[0]; ky++)
        for (int64_t kx = 0; kx < w->kernel[1]; kx++, from += w->together * out_size) {
            const span rows = seen(w, 0, ky), columns = seen(w, 1, kx);
            for (int64_t i = 0; i < rows.count; i++) {
                elem *const row = x + (rows.first + i * w->stride[0]) * w->size[1] + columns.first;
                const elem *const run = from + (rows.begin + i) * w->out[1] + columns.begin;
                if (stride == 1)
                    PLANE(add)(row, run, columns.count);
                else
                    for (int64_t k = 0; k < columns.count; k++) row[k * stride] += run[k];
            }
        }
}

/* One run of the value, with the bias of its channel. */
static void PLANE(spread)(const job *j, int64_t plane) {
    const int64_t channel = plane % j->channels;
    const elem *const restrict from = (const elem *)j->from + run_at(j, plane / j->channels, channel) * j->size;
    elem *const restrict to = (elem *)j->to + plane * j->size;
    const elem bias = j->bias == NULL ? 0 : ((const elem *)j->bias)[channel];
    for (int64_t i = 0; i < j->size; i++) to[i] = from[i] + bias;
}

/* All runs of one channel back, and their sum. */
static void PLANE(gather)(const job *j, int64_t channel) {
    double total = 0;
    for (int64_t n = 0; n < j->n; n++) {
        const elem *const from = (const elem *)j->from + (n * j->channels + channel) * j->size;
        if (j->to != NULL)
            memcpy((elem *)j->to + run_at(j, n, channel) * j->size, from, (size_t)j->size * sizeof(elem));
        if (j->sums == NULL) continue;
        int64_t i = 0;
        while (i + SUM_LANES <= j->size) { /* in parts, so that few roundings are those of a float */
            const int64_t end = i + SUM_PART < j->size ? i + SUM_PART : j->size;
            elem lane[SUM_LANES] = {0};
            for (; i + SUM_LANES <= end; i += SUM_LANES)
                for (int k = 0; k < SUM_LANES; k++) lane[k] += from[i + k];
            for (int k = 0; k < SUM_LANES; k++) total += lane[k];
        }
        for (; i < j->size; i++) total += from[i];
    }
    if (j->sums != NULL) ((elem *)j->sums)[channel] = (elem)total;
}
