#define TS_RULES "rule.h"
#include "trainstation/plugin.h"
