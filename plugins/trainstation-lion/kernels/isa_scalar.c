#include "trainstation/simd/scalar.h"

#define TS_RULES "lion.h"
#define TS_TABLE ts_plugin_scalar
#include "trainstation/loop.h"
