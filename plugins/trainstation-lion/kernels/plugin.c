#define TS_RULES "lion.h"
#include "trainstation/plugin.h"
