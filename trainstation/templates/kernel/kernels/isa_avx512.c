#include "trainstation/trainstation.h"

#ifdef TS_X86
#include "trainstation/simd/avx512.h"

#define TS_RULES "rule.h"
#define TS_TABLE ts_plugin_avx512
#include "trainstation/loop.h"
#endif
