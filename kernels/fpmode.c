/* A caller may have set flush-to-zero or another rounding (a -ffast-math library does so when it is loaded).
 * The bits of a step must not depend on it. */
#include "kernels.h"

#ifdef TS_X86
#include <xmmintrin.h>

const uint64_t ts_fp_default = 0x1f80;

uint64_t ts_fp_mode(uint64_t mode) {
    const unsigned former = _mm_getcsr();
    _mm_setcsr((unsigned)mode);
    return former;
}
#elif defined(TS_ARM64)
const uint64_t ts_fp_default = 0;

uint64_t ts_fp_mode(uint64_t mode) {
    uint64_t former;
    __asm__ volatile("mrs %0, fpcr" : "=r"(former));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
    return former;
}
#else
const uint64_t ts_fp_default = 0;

uint64_t ts_fp_mode(uint64_t mode) { return mode; }
#endif
