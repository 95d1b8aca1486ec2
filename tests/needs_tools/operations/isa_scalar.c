#include "trainstation/trainstation.h"

#include "trainstation/simd/scalar.h"

#define TS_RULES "operations.h"
#define TS_TABLE ts_plugin_scalar
#include "trainstation/loop.h"
