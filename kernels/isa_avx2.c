#include "kernels.h"

#ifdef TS_X86
#include "trainstation/simd/avx2.h"

#define TS_SQUARES ts_squares_avx2
#include "squares.h"

#define TS_FUNCTIONS ts_functions_avx2
#include "functions/functions.h"

#define TS_HALVES ts_halves_avx2
#include "halves.h"

#define TS_RULES "rules/rules.h"
#define TS_TABLE ts_rules_avx2
#include "trainstation/loop.h"
#endif
