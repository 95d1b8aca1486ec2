/* Threads of our own: OpenMP's do not survive a fork, and would be a second set beside torch's.
 *
 * A caller opens a job, works on it itself, and lets in whichever helpers wake up in time: it never waits for one
 * that sleeps. Pieces are handed out one by one, so a helper whose processor is taken away holds up nobody for long.
 * Another caller who comes meanwhile does its work alone. */
#define _POSIX_C_SOURCE 200809L /* C99 alone has no threads */
#include "kernels.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

enum { MAX_THREADS = 256, SPINS = 200 /* a few microseconds */ };

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    ts_work_fn *work;
    void *context;
    int64_t n_pieces, next; /* next: atomic */
    uint64_t jobs;          /* atomic: how many were opened */
    int helpers;            /* threads that exist */
    int wanted, active;     /* helpers that may still come in; those inside (atomic) */
    int is_busy;            /* a job is open */
} pool;

#define EMPTY_POOL                                                                                           \
    {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER}
static pool the_pool = EMPTY_POOL;

static void pause_briefly(void) {
#if defined(TS_X86)
    __builtin_ia32_pause();
#elif defined(TS_ARM64)
    __asm__ volatile("yield");
#endif
}

static void work_through(ts_work_fn *work, void *context, int64_t n_pieces) {
    for (;;) {
        const int64_t piece = __atomic_fetch_add(&the_pool.next, 1, __ATOMIC_RELAXED);
        if (piece >= n_pieces) return;
        work(context, piece);
    }
}

static void *help(void *unused) {
    pool *const p = &the_pool;
    uint64_t seen = 0;
    (void)unused;
    ts_fp_mode(ts_fp_default);
    for (;;) {
        for (int i = 0; i < SPINS && __atomic_load_n(&p->jobs, __ATOMIC_RELAXED) == seen; i++) pause_briefly();
        pthread_mutex_lock(&p->lock);
        while (p->wanted == 0) pthread_cond_wait(&p->wake, &p->lock);
        seen = p->jobs;
        p->wanted--;
        __atomic_add_fetch(&p->active, 1, __ATOMIC_RELAXED);
        ts_work_fn *const work = p->work;
        void *const context = p->context;
        const int64_t n_pieces = p->n_pieces;
        pthread_mutex_unlock(&p->lock);

        work_through(work, context, n_pieces);

        pthread_mutex_lock(&p->lock);
        if (__atomic_sub_fetch(&p->active, 1, __ATOMIC_RELEASE) == 0) pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

/* In a forked child the helpers are gone, and a lock may be held by one of them. */
static void renew(void) {
    static const pool empty = EMPTY_POOL;
    the_pool = empty;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, renew); }

/* Starts helpers until there are so many, or the system gives no more. They leave all signals to others. */
static int ensure(pool *p, int helpers) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, former;
    pthread_once(&once, watch_forks);
    if (helpers > MAX_THREADS) helpers = MAX_THREADS;
    if (p->helpers >= helpers) return helpers;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    while (p->helpers < helpers) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, help, NULL) != 0) break;
        pthread_detach(thread);
        p->helpers++;
    }
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return p->helpers;
}

static int open_job(pool *p, ts_work_fn *work, void *context, int64_t n_pieces, int helpers) {
    pthread_mutex_lock(&p->lock);
    const int is_ours = !p->is_busy;
    if (is_ours) {
        p->is_busy = 1;
        p->work = work;
        p->context = context;
        p->n_pieces = n_pieces;
        p->next = 0;
        p->wanted = ensure(p, helpers);
        __atomic_add_fetch(&p->jobs, 1, __ATOMIC_RELAXED);
        pthread_cond_broadcast(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return is_ours;
}

static void close_job(pool *p) {
    pthread_mutex_lock(&p->lock);
    p->wanted = 0;
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < SPINS && __atomic_load_n(&p->active, __ATOMIC_ACQUIRE) > 0; i++) pause_briefly();
    pthread_mutex_lock(&p->lock);
    while (p->active > 0) pthread_cond_wait(&p->done, &p->lock);
    p->is_busy = 0;
    pthread_mutex_unlock(&p->lock);
}

void ts_parallel(ts_work_fn *work, void *context, int64_t n_pieces, int threads) {
    const int64_t useful = n_pieces < threads ? n_pieces : threads;
    if (useful < 2 || !open_job(&the_pool, work, context, n_pieces, (int)useful - 1)) {
        for (int64_t piece = 0; piece < n_pieces; piece++) work(context, piece);
        return;
    }
    work_through(work, context, n_pieces);
    close_job(&the_pool);
}
#else
void ts_parallel(ts_work_fn *work, void *context, int64_t n_pieces, int threads) {
    (void)threads;
    for (int64_t piece = 0; piece < n_pieces; piece++) work(context, piece);
}
#endif
