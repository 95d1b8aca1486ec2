#include "trainstation/trainstation.h"

#ifdef TS_ARM64
#include "trainstation/simd/neon.h"

#define TS_RULES "rules/rules.h"
#define TS_TABLE ts_rules_neon
#include "trainstation/loop.h"
#endif
