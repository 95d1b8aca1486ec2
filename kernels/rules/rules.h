/* Every rule of the core. Read once for each instruction set and element type; dispatch.c reads the list only. */
#define TS_RULE_LIST(X)                                                                                      \
    X(adam, 2, 7)                                                                                            \
    X(adam_amsgrad, 3, 7)                                                                                    \
    X(adamw, 2, 7)                                                                                           \
    X(adamw_amsgrad, 3, 7)

#ifndef TS_RULE_LIST_ONLY
#include "adam.h"
#endif
