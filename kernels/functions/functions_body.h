/* The part of functions.h that is read once for each element type (TS_BITS). */
#include "functions/primitives.h"

#include "functions/maps.h"

typedef vf TS_FUN(function)(vf a, vf b, vf h);
TS_INLINE void TS_FUN(map)(TS_FUN(function) *f, v_elem *out, const v_elem *a, const v_elem *b, vf h, int64_t n) {
    int64_t i = 0;
    for (; i + v_lanes <= n; i += v_lanes) v_store(out + i, f(v_load(a + i), v_load(b + i), h));
    if (i < n) v_store_n(out + i, f(v_load_n(a + i, n - i), v_load_n(b + i, n - i), h), n - i);
}
TS_MAP_LIST(TS_MAP_LOOP)

#include "functions/rows.h"

#include "functions/norms.h"

#undef TS_MAP
#undef TS_ONE
#undef TS_ZERO
