/* The functions of this folder for one instruction set. Include a simd header first, and define TS_FUNCTIONS, the name
 * of the table that results. */
#include "networks.h"
#include "trainstation/names.h"

#include <math.h>
#include <string.h>

#define TS_FUN(name) TS_PASTE3(ts_fun_##name##_, TS_BITS, )

#define TS_MAP_LOOP(name)                                                                                    \
    static void TS_FUN(name##_loop)(void *out, const void *a, const void *b, double h, int64_t n) {          \
        TS_FUN(map)(TS_FUN(name), (v_elem *)out, (const v_elem *)a, (const v_elem *)b, v_set1((v_elem)h), n);\
    }

#define TS_BITS 32
#include "functions/functions_body.h"
#undef TS_BITS
#define TS_BITS 64
#include "functions/functions_body.h"
#undef TS_BITS

#define TS_MAP_32(name) ts_fun_##name##_loop_32,
#define TS_MAP_64(name) ts_fun_##name##_loop_64,
#define TS_PAIR(name) {ts_fun_##name##_32, ts_fun_##name##_64}
extern const ts_functions TS_FUNCTIONS;
const ts_functions TS_FUNCTIONS = {
    .map = {{TS_MAP_LIST(TS_MAP_32)}, {TS_MAP_LIST(TS_MAP_64)}},
    .rows = {TS_PAIR(softmax), TS_PAIR(softmax_grad), TS_PAIR(log_softmax), TS_PAIR(log_softmax_grad),
             TS_PAIR(cross_entropy), TS_PAIR(bias_relu)},
    .normalize = TS_PAIR(normalize),
    .normalize_grad = TS_PAIR(normalize_grad),
};
#undef TS_PAIR
