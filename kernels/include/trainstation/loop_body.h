/* The part of loop.h that is read once for each element type (TS_BITS). */

TS_INLINE vf v_max(vf a, vf b) { return v_select(v_gt(a, b), a, v_select(v_ne(a, a), a, b)); }

#include TS_RULES

typedef vf TS_FN(rule)(vf p, vf g, vf *s, const vf *h);

/* The tail is the same rule on a partial load and store: there is no second body that could differ. */
TS_INLINE void TS_FN(loop)(TS_FN(rule) *rule, int n_states, int n_scalars, const ts_slot *slot, int64_t begin,
                           int64_t end) {
    v_elem *p = (v_elem *)slot->p;
    const v_elem *g = (const v_elem *)slot->g;
    v_elem *state[TS_MAX_STATES] = {0};
    vf h[TS_MAX_SCALARS], s[TS_MAX_STATES];
    const vf gscale = v_set1((v_elem)slot->gscale);
    int64_t i = begin;

    for (int k = 0; k < n_states; k++) state[k] = (v_elem *)slot->state[k];
    for (int k = 0; k < n_scalars; k++) h[k] = v_set1((v_elem)slot->scalars[k]);

    for (; i + v_lanes <= end; i += v_lanes) {
        for (int k = 0; k < n_states; k++) s[k] = v_load(state[k] + i);
        v_store(p + i, rule(v_load(p + i), v_mul(v_load(g + i), gscale), s, h));
        for (int k = 0; k < n_states; k++) v_store(state[k] + i, s[k]);
    }
    if (i < end) {
        const int64_t rest = end - i;
        for (int k = 0; k < n_states; k++) s[k] = v_load_n(state[k] + i, rest);
        v_store_n(p + i, rule(v_load_n(p + i, rest), v_mul(v_load_n(g + i, rest), gscale), s, h), rest);
        for (int k = 0; k < n_states; k++) v_store_n(state[k] + i, s[k], rest);
    }
}

TS_RULE_LIST(TS_KERNEL)
