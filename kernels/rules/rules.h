/* Every rule of the core: name, states, scalars, kinds. Read once for each instruction set and element type;
 * rules.c reads the list only. */
#define TS_RULE_LIST(X)                                                                                      \
    X(adam, 2, 7, TS_KINDS(TS_SIGNED, TS_POSITIVE, 0, 0))                                                    \
    X(adam_amsgrad, 3, 7, TS_KINDS(TS_SIGNED, TS_POSITIVE, TS_POSITIVE, 0))                                  \
    X(adamw, 2, 7, TS_KINDS(TS_SIGNED, TS_POSITIVE, 0, 0))                                                   \
    X(adamw_amsgrad, 3, 7, TS_KINDS(TS_SIGNED, TS_POSITIVE, TS_POSITIVE, 0))                                 \
    X(sgd, 0, 5, 0)                                                                                          \
    X(sgd_momentum, 1, 5, TS_KINDS(TS_SIGNED, 0, 0, 0))                                                      \
    X(rmsprop, 1, 6, TS_KINDS(TS_POSITIVE, 0, 0, 0))                                                         \
    X(rmsprop_centered, 2, 6, TS_KINDS(TS_EXACT, TS_EXACT, 0, 0))                                            \
    X(rmsprop_momentum, 2, 6, TS_KINDS(TS_POSITIVE, TS_SIGNED, 0, 0))                                        \
    X(rmsprop_centered_momentum, 3, 6, TS_KINDS(TS_EXACT, TS_EXACT, TS_SIGNED, 0))                           \
    X(bandwidth, 2, 0, 0)

#ifndef TS_RULE_LIST_ONLY
/* Without decay the gradient is left alone: 0 * p would turn an infinite p into NaN. */
TS_INLINE vf TS_FN(l2)(vf p, vf g, vf weight_decay) {
    return v_select(v_ne(weight_decay, v_set1(0)), v_add(g, v_mul(weight_decay, p)), g);
}

#include "adam.h"
#include "bandwidth.h"
#include "rmsprop.h"
#include "sgd.h"
#endif
