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

/* pool.c: work(context, piece) for all pieces in 0 .. n_pieces-1, each once, on at most so many threads */
typedef void ts_work_fn(void *context, int64_t piece);
void ts_parallel(ts_work_fn *work, void *context, int64_t n_pieces, int threads);

/* rules.c: those of the core, then those that plugins have brought */
const ts_rule *ts_rule_at(int rule); /* NULL past the last one */
int ts_rules_add(const ts_rule *rules, int n); /* the first one's index, or -1 if there is no room for all; one
                                                * thread at a time */
ts_rule_fn *ts_rule_fn_at(int isa, int rule, int format); /* NULL: not even the scalar one */

/* squares.h, once for each instruction set */
enum { TS_CHUNK = 4096 };
typedef double ts_squares_fn(const void *g, int is_double, int64_t n);

/* step.c */
enum ts_check {
    TS_NORM = 1,    /* measure the gradients, and scale them to max_norm */
    TS_FINITE = 2,  /* stop where one is not finite */
    TS_MEASURE = 4, /* measure, and leave it at that */
    TS_LOOK = 8     /* objects.c: look at the objects, and leave it at that */
};
enum ts_result { TS_DONE, TS_STALE, TS_OTHER, TS_MOVED, TS_NONFINITE, TS_REGROUP };

/* An array that the step writes to: NumPy's object, and where its elements were when it was checked. */
typedef struct ts_array {
    const void *object;
    const void *data;
} ts_array;

/* Bytes that the step writes to, in the order of `low`; `most` is the largest `high` up to here. */
typedef struct ts_range {
    const char *low, *most;
} ts_range;

/* A parameter, as objects.c follows it. Where Python keeps what is told in bytes from the beginning of an object; -1:
 * it is an attribute. */
typedef struct ts_entry {
    void *object;           /* has the values and the gradient */
    void *array;            /* its values' array, as it was checked; NULL: a tensor of another library */
    void *descr;            /* the dtype of values and gradient */
    const intptr_t *shape;  /* and their shape, */
    const void *p;          /* where the values lie */
    const void *g;          /* where the gradient lies that was looked at last */
    void *held;             /* the gradient, while a step reads it; NULL */
    void *version;          /* a list of one counter, which tells of changes in place, or NULL */
    void *owner_kind;       /* the class of gradients that keep their array at owner_at */
    int64_t data_at, grad_at, owner_at;
    int64_t slot;           /* whose gradient this is; NO_SLOT: `update` steps it; NO_ROW: it is to have none */
    int64_t n, nd;          /* the number of elements, and of axes */
    int32_t is_double, is_lent; /* is_lent: the values are another array at each step */
    int32_t is_wanted, is_active, is_grouped; /* to be stepped; with a gradient now; when the slots were grouped */
} ts_entry;
enum { TS_NO_SLOT = -1, TS_NO_ROW = -2 };

typedef struct ts_call {
    const ts_slot *slots; /* those without scalars are left out of this step, and have n = 0 */
    int64_t n_slots;
    ts_slot *to_point;    /* the same, for objects.c to point to gradients */
    ts_entry *entries;
    int64_t n_entries;
    const ts_array *arrays;
    int64_t n_arrays;
    const ts_range *ranges;
    int64_t n_ranges;
    int (*exchange)(void *tensor, void *made); /* the other library's dltensor_from_py_object_no_sync */
    double *partial;  /* room for n_elements / TS_CHUNK + n_slots + 1, if anything is checked */
    double max_norm;  /* > 0: gradients are scaled so that their norm is at most this */
    double clip;      /* in without TS_NORM: their factor; out with it */
    double squares;   /* out with TS_NORM: their sum over all gradients */
    int64_t slot;     /* out with TS_NORM: the first one whose gradient is not finite, or -1 */
    void *const *averages; /* NULL, or for each slot the running average of its parameter */
    double weight;         /* of the new values in it; 1: they are copied */
    int64_t *n_averaged;   /* NULL, or what counts the averages */
    int32_t check, isa, threads; /* isa and threads: those of the last step */
    int32_t is_exact;      /* whether every wanted parameter must have a gradient */
} ts_call;
int ts_step(ts_call *call, int isa, int threads);
double ts_squares(int isa, const void *g, int is_double, int64_t n);

/* pieces.c: part(call, slot, begin, end) for all elements of all slots, each once, on the threads of the call. Parts of
 * a slot begin at multiples of TS_CHUNK. */
enum { TS_MOST_PIECE = 1 << 18 }; /* elements */
typedef void ts_part_fn(const ts_call *call, int64_t slot, int64_t begin, int64_t end);
void ts_walk(const ts_call *call, ts_part_fn *part);

/* halves.c: contiguous arrays of float from and to the codes of bfloat16 or float16. */
void ts_widen(int isa, int threads, int is_float16, void *to, const void *from, int64_t n);
/* To the nearest, ties to even; or if is_random up or down with the probability that keeps the mean, from random bits
 * that are a function of t and the index of the element. */
void ts_narrow(int isa, int threads, int is_float16, int is_random, int64_t t, void *to, const void *from, int64_t n);

/* What each instruction set has of them: for bfloat16 and float16; `first` is the index of the first element. */
typedef struct ts_halves {
    void (*widen[2])(void *to, const void *from, int64_t n);
    void (*narrow[2][2])(void *to, const void *from, uint32_t key, uint32_t first, int64_t n);
} ts_halves;

/* python.c, which holds the GIL: makes the function that Python calls for a step. */
void *ts_step_function(void);

#endif
