#include "trainstation/trainstation.h"

#ifdef TS_X86
#include "trainstation/simd/avx2.h"

#define TS_RULES "rule.h"
#define TS_TABLE ts_plugin_avx2
#include "trainstation/loop.h"
#endif
