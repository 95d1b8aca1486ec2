#define TS_RULES "operations.h"
#include "trainstation/plugin.h"
