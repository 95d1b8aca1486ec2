/* The pool and the steps that run on it, used by several threads at once and across forks; for ThreadSanitizer, and
 * plain. Every result is compared with that of one thread. Exit code 0: all was right. */
#define _DEFAULT_SOURCE
#include "kernels.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLERS = 4, SLOTS = 6, SCALARS = 7 };
static const int64_t sizes[SLOTS] = {0, 20011, 3, 4096, 33001, 0};
static const int threads_of[] = {1, 2, 3, 7, 2, 5};
static int child_threads = 3; /* "alone": 1, for ThreadSanitizer knows no thread that a forked child starts */

typedef struct {
    ts_slot slots[SLOTS];
    ts_scalars scalars;
    ts_call call;
    float *arrays[SLOTS][4];
    int64_t steps[SLOTS];
} table;

static void *room(size_t bytes) {
    void *made = calloc(bytes ? bytes : 1, 1);
    if (made == NULL) exit(2);
    return made;
}

static int widest(void) {
    for (int isa = TS_N_ISAS - 1; isa > 0; isa--)
        if (ts_isa_usable(isa)) return isa;
    return TS_SCALAR;
}

static table *make_table(unsigned seed) {
    static const double values[SCALARS] = {0.01, 0.1, 0.999, 0.001, 0.01, 1.5, 1e-8};
    table *made = (table *)room(sizeof *made);
    int64_t first = 0;
    memcpy(made->scalars.value, values, sizeof values);
    for (int i = 0; i < SLOTS; i++) {
        ts_slot *slot = &made->slots[i];
        for (int k = 0; k < 4; k++) {
            made->arrays[i][k] = (float *)room((size_t)sizes[i] * sizeof(float));
            for (int64_t j = 0; j < sizes[i]; j++) {
                seed = seed * 1664525u + 1013904223u;
                made->arrays[i][k][j] = (float)(seed >> 8) / (1 << 24) - (k == 3 ? 0.0f : 0.5f);
            }
        }
        slot->p = made->arrays[i][0];
        slot->g = made->arrays[i][1];
        slot->state[0] = made->arrays[i][2];
        slot->state[1] = made->arrays[i][3];
        slot->scalars = &made->scalars;
        slot->step = &made->steps[i];
        slot->n = sizes[i];
        slot->first = first;
        slot->gscale = 1;
        slot->rule = 0; /* adam */
        slot->format = TS_FLOAT32;
        first += sizes[i];
    }
    made->call.slots = made->slots;
    made->call.n_slots = SLOTS;
    made->call.clip = 1;
    made->call.check = TS_NORM;
    made->call.max_norm = 1;
    made->call.partial = (double *)room((size_t)(first / TS_CHUNK + SLOTS + 1) * sizeof(double));
    return made;
}

static void free_table(table *made) {
    for (int i = 0; i < SLOTS; i++)
        for (int k = 0; k < 4; k++) free(made->arrays[i][k]);
    free(made->call.partial);
    free(made);
}

static void step(table *made, int threads) {
    made->scalars.t = made->steps[0] + 1;
    if (ts_step(&made->call, widest(), threads) != TS_DONE) exit(3);
}

static int same(const table *a, const table *b) {
    for (int i = 0; i < SLOTS; i++) {
        if (a->steps[i] != b->steps[i]) return 0;
        for (int k = 0; k < 4; k++)
            if (sizes[i] && memcmp(a->arrays[i][k], b->arrays[i][k], (size_t)sizes[i] * sizeof(float)) != 0) return 0;
    }
    return a->call.squares == b->call.squares;
}

/* Small and large jobs, on so many threads, or (0) on changing numbers of them. */
static void steps_are_right(unsigned seed, int turns, int threads) {
    table *ours = make_table(seed), *alone = make_table(seed);
    for (int turn = 0; turn < turns; turn++) {
        step(ours, threads ? threads : threads_of[(turn + (int)seed) % 6]);
        step(alone, 1);
        if (!same(ours, alone)) {
            fprintf(stderr, "turn %d of %u differs\n", turn, seed);
            exit(4);
        }
    }
    free_table(ours);
    free_table(alone);
}

static void count(void *context, int64_t piece) { __atomic_add_fetch((int *)context + piece, 1, __ATOMIC_RELAXED); }

/* Each piece once, whatever their number. */
static void pieces_are_done_once(int threads) {
    enum { MOST = 300 };
    for (int64_t n = 0; n < MOST; n += n < 20 ? 1 : 37) {
        int seen[MOST] = {0};
        ts_parallel(count, seen, n, threads);
        for (int64_t k = 0; k < MOST; k++)
            if (seen[k] != (k < n)) {
                fprintf(stderr, "piece %d of %d was done %d times\n", (int)k, (int)n, seen[k]);
                exit(5);
            }
    }
}

static void *caller(void *argument) {
    const unsigned seed = *(const unsigned *)argument;
    for (int turn = 0; turn < 12; turn++) {
        pieces_are_done_once(threads_of[(turn + (int)seed) % 6]);
        steps_are_right(seed + (unsigned)turn, 6, 0);
    }
    return NULL;
}

static volatile int stop;
static void *busy(void *argument) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) caller(argument);
    return NULL;
}

static void child_steps(unsigned seed) {
    const pid_t child = fork();
    int status = 0;
    if (child < 0) exit(6);
    if (child == 0) {
        alarm(60);
        pieces_are_done_once(child_threads);
        steps_are_right(seed, 4, child_threads);
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a forked child ended with status %d\n", status);
        exit(7);
    }
}

static void several_at_once(void *(*work)(void *), void (*meanwhile)(unsigned)) {
    pthread_t threads[CALLERS];
    unsigned seeds[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        seeds[i] = (unsigned)i * 100u;
        if (pthread_create(&threads[i], NULL, work, &seeds[i]) != 0) exit(8);
    }
    if (meanwhile != NULL)
        for (unsigned turn = 0; turn < 10; turn++) meanwhile(turn);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < CALLERS; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[2], "alone") == 0) child_threads = 1;
    steps_are_right(0, 12, 0);
    const int rounds = argc > 1 && strcmp(argv[1], "long") == 0 ? 30 : 1;
    for (int round = 0; round < rounds; round++) several_at_once(caller, NULL);
    if (argc > 1 && strcmp(argv[1], "fork") == 0) {
        __atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
        child_steps(1);
        several_at_once(busy, child_steps);
        steps_are_right(2, 12, 0);
    }
    return 0;
}
