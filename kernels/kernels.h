/* What the core offers to Python (kernels.cdef.txt repeats it for cffi) and to its own C tests. */
#ifndef TS_KERNELS_H
#define TS_KERNELS_H

#include "trainstation/trainstation.h"

/* cpu.c */
int ts_isa_usable(int isa);             /* compiled in, and this processor and system can run it */
const char *ts_isa_name(int isa);       /* NULL past the last one */
const char *ts_feature_name(int index); /* NULL past the last one */
int ts_feature_present(int index);

/* fpmode.c: the floating-point control register of this thread */
extern const uint64_t ts_fp_default; /* round to nearest, keep subnormals, trap nothing */
uint64_t ts_fp_mode(uint64_t mode);  /* sets it, returns the former one */

/* power.c */
double ts_power(double base, int64_t exponent);

/* dispatch.c */
const char *ts_rule_name(int rule); /* NULL past the last one */
int ts_rule_states(int rule);
int ts_rule_scalars(int rule);
void ts_step(int isa, const ts_slot *slots, int64_t n_slots);

#endif
