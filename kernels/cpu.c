/* Which instruction sets this processor and this operating system can run. */
#include "kernels.h"

#include <stddef.h>

enum feature { AVX2, AVX512F, AVX512BW, AVX512DQ, AVX512VL, NEON, N_FEATURES };

static const char *const feature_names[N_FEATURES] = {"avx2",     "avx512f",  "avx512bw",
                                                      "avx512dq", "avx512vl", "neon"};
static const char *const isa_names[TS_N_ISAS] = {"scalar", "avx2", "avx512", "neon"};

#ifdef TS_X86
#include <cpuid.h>

static unsigned detect(void) {
    enum { OSXSAVE = 1 << 27, AVX = 1 << 28, YMM_STATE = 0x06, ZMM_STATE = 0xe6 };
    unsigned eax, ebx, ecx, edx, state, high, found = 0;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & OSXSAVE) || !(ecx & AVX)) return 0;
    /* XCR0: the registers that the system saves between threads. A feature without its registers is absent. */
    __asm__ volatile("xgetbv" : "=a"(state), "=d"(high) : "c"(0));
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
    if ((state & YMM_STATE) == YMM_STATE) found |= (ebx >> 5 & 1u) << AVX2;
    if ((state & ZMM_STATE) == ZMM_STATE)
        found |= (ebx >> 16 & 1u) << AVX512F | (ebx >> 30 & 1u) << AVX512BW | (ebx >> 17 & 1u) << AVX512DQ |
                 (ebx >> 31 & 1u) << AVX512VL;
    return found;
}
#elif defined(TS_ARM64)
static unsigned detect(void) { return 1u << NEON; }
#else
static unsigned detect(void) { return 0; }
#endif

int ts_isa_usable(int isa) {
    const unsigned found = detect(), avx512 = 1u << AVX512F | 1u << AVX512BW | 1u << AVX512DQ | 1u << AVX512VL;
    switch (isa) {
    case TS_SCALAR: return 1;
    case TS_AVX2: return (found >> AVX2 & 1u) != 0;
    case TS_AVX512: return (found & avx512) == avx512;
    case TS_NEON: return (found >> NEON & 1u) != 0;
    default: return 0;
    }
}

const char *ts_isa_name(int isa) { return isa >= 0 && isa < TS_N_ISAS ? isa_names[isa] : NULL; }

const char *ts_feature_name(int index) {
    return index >= 0 && index < N_FEATURES ? feature_names[index] : NULL;
}

int ts_feature_present(int index) {
    return index >= 0 && index < N_FEATURES && (detect() >> index & 1u) != 0;
}
