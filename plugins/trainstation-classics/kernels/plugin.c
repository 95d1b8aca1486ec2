#define TS_RULES "classics.h"
#include "trainstation/plugin.h"
