#include "trainstation/trainstation.h"

#ifdef TS_ARM64
#include "trainstation/simd/neon.h"

#define TS_RULES "rule.h"
#define TS_TABLE ts_plugin_neon
#include "trainstation/loop.h"
#endif
