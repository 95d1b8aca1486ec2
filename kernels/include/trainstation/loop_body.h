/* The part of loop.h that is read once for each element type (TS_BITS). */

/* A NaN on either side stays; of equal values (+0 and -0) the second. */
TS_INLINE vf v_max(vf a, vf b) { return v_select(v_gt(a, b), a, v_select(v_ne(a, a), a, b)); }
TS_INLINE vf v_min(vf a, vf b) { return v_select(v_gt(b, a), a, v_select(v_ne(a, a), a, b)); }
/* 1, -1, +0 for either zero, NaN for NaN. */
TS_INLINE vf v_sign(vf a) {
    const vf zero = v_set1(0), rest = v_select(v_ne(a, a), a, zero);
    return v_select(v_gt(a, zero), v_set1(1), v_select(v_gt(zero, a), v_set1(-1), rest));
}

#include TS_RULES

typedef vf TS_OWN(rule)(vf p, vf g, vf *s, const vf *h);

/* A whole vector, or the first n elements of one. The tail is the same rule on a partial load and store: there is
 * no second body that could differ. */
TS_INLINE vf TS_OWN(read)(const v_elem *a, int64_t n) { return n == v_lanes ? v_load(a) : v_load_n(a, n); }
TS_INLINE void TS_OWN(write)(v_elem *a, vf x, int64_t n) {
    if (n == v_lanes)
        v_store(a, x);
    else
        v_store_n(a, x, n);
}

TS_INLINE void TS_OWN(vector)(TS_OWN(rule) *rule, int n_states, v_elem *p, const v_elem *g, v_elem *const *state,
                             const vf *h, vf gscale, int64_t i, int64_t n) {
    vf s[TS_MAX_STATES];
    for (int k = 0; k < n_states; k++) s[k] = TS_OWN(read)(state[k] + i, n);
    TS_OWN(write)(p + i, rule(TS_OWN(read)(p + i, n), v_mul(TS_OWN(read)(g + i, n), gscale), s, h), n);
    for (int k = 0; k < n_states; k++) TS_OWN(write)(state[k] + i, s[k], n);
}

TS_INLINE void TS_OWN(loop)(TS_OWN(rule) *rule, int n_states, int n_scalars, const ts_slot *slot, double gscale,
                           int64_t begin, int64_t end) {
    v_elem *p = (v_elem *)slot->p;
    const v_elem *g = (const v_elem *)slot->g;
    v_elem *state[TS_MAX_STATES] = {0};
    vf h[TS_MAX_SCALARS];
    const vf factor = v_set1((v_elem)gscale);
    int64_t i = begin;

    for (int k = 0; k < n_states; k++) state[k] = (v_elem *)slot->state[k];
    for (int k = 0; k < n_scalars; k++) h[k] = v_set1((v_elem)slot->scalars->value[k]);
    if (end - begin >= TS_LONG) { /* then a part of a vector first, and p crosses no cache line in any other */
        const int64_t size = sizeof *p, width = v_lanes * size;
        i += (width - (int64_t)((uintptr_t)(p + i) % (uintptr_t)width)) % width / size;
        if (i > begin) TS_OWN(vector)(rule, n_states, p, g, state, h, factor, begin, i - begin);
    }
    for (; i + v_lanes <= end; i += v_lanes) TS_OWN(vector)(rule, n_states, p, g, state, h, factor, i, v_lanes);
    if (i < end) TS_OWN(vector)(rule, n_states, p, g, state, h, factor, i, end - i);
}

TS_RULE_LIST(TS_KERNEL)
