#include "kernels.h"

#include "trainstation/simd/scalar.h"

#define TS_SQUARES ts_squares_scalar
#include "squares.h"

#define TS_FUNCTIONS ts_functions_scalar
#include "functions/functions.h"

#define TS_HALVES ts_halves_scalar
#include "halves.h"

#define TS_RULES "rules/rules.h"
#define TS_TABLE ts_rules_scalar
#include "trainstation/loop.h"
