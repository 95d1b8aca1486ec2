#include "trainstation/simd/scalar.h"

#define TS_RULES "rule.h"
#define TS_TABLE ts_plugin_scalar
#include "trainstation/loop.h"
