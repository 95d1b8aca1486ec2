/* beta**t. libm's pow differs between machines, and repeated multiplication in plain double drifts (5e-14 at
 * 0.9999): square and multiply, each number kept as an unevaluated sum hi + lo of two doubles. */
#include "kernels.h"

typedef struct {
    double hi, lo;
} pair;

/* Dekker: a = hi + lo exactly, each with at most 26 bits. */
static pair split(double a) {
    const double c = 134217729.0 * a; /* 2^27 + 1 */
    const double hi = c - (c - a);
    return (pair){hi, a - hi};
}

static pair multiply(pair a, pair b) {
    const double product = a.hi * b.hi;
    const pair x = split(a.hi), y = split(b.hi);
    const double error = ((x.hi * y.hi - product) + x.hi * y.lo + x.lo * y.hi) + x.lo * y.lo;
    const double lo = error + (a.hi * b.lo + a.lo * b.hi);
    const double hi = product + lo;
    return (pair){hi, lo - (hi - product)};
}

/* For 0 <= base <= 1 and exponent >= 0: absolute error below 1e-15. */
double ts_power(double base, int64_t exponent) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    pair result = {1.0, 0.0}, square = {base, 0.0};
    while (exponent > 0) {
        if (exponent & 1) result = multiply(result, square);
        exponent >>= 1;
        if (exponent == 0 || result.hi == 0) break;
        square = multiply(square, square);
    }
    ts_fp_mode(caller);
    return result.hi;
}
