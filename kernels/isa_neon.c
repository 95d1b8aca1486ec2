#include "kernels.h"

#ifdef TS_ARM64
#include "trainstation/simd/neon.h"

#define TS_SQUARES ts_squares_neon
#include "squares.h"

#define TS_FUNCTIONS ts_functions_neon
#include "functions/functions.h"

#define TS_HALVES ts_halves_neon
#include "halves.h"

#define TS_RULES "rules/rules.h"
#define TS_TABLE ts_rules_neon
#include "trainstation/loop.h"
#endif
