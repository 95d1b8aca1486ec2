/* Threads of our own: OpenMP's do not survive a fork, and would be a second set beside torch's.
 *
 * A caller opens a job, works on it itself, and lets in whichever helpers wake up in time: it never waits for one
 * that sleeps. Each has a share of the pieces, the same in every step, which its caches may still hold, and helps
 * itself to those of others after it: a helper whose processor is taken away delays no caller for long. A caller that
 * comes meanwhile does its work alone. */
#define _POSIX_C_SOURCE 200809L /* C99 alone has no threads */
#include "affinity.h"
#include "kernels.h"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

enum {
    MAX_THREADS = 256,
    AWAKE = 400,   /* pauses, some ten microseconds: from one step to the next, if nothing comes between them */
    PATIENT = 2000 /* as long as the last piece of a helper may take */
};

typedef struct {
    int64_t next, end; /* next: atomic */
    char apart[48];    /* one cache line each */
} share;

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    ts_work_fn *work;
    void *context;
    int n_shares;
    uint64_t jobs;          /* atomic: how many were opened */
    int helpers;            /* threads that exist */
    int wanted, active;     /* helpers that may still come in; those inside (atomic) */
    int is_busy;            /* a job is open */
    int avoided, apart;     /* the processor that helpers are kept off; how many of them are */
    pthread_t threads[MAX_THREADS];
    share shares[MAX_THREADS];
} pool;

#define EMPTY_POOL                                                                                           \
    {.lock = PTHREAD_MUTEX_INITIALIZER,                                                                      \
     .wake = PTHREAD_COND_INITIALIZER,                                                                       \
     .done = PTHREAD_COND_INITIALIZER,                                                                       \
     .avoided = -1}
static pool the_pool = EMPTY_POOL;

static void pause_briefly(void) {
#if defined(TS_X86)
    __builtin_ia32_pause();
#elif defined(TS_ARM64)
    __asm__ volatile("yield");
#endif
}

static void work_through(ts_work_fn *work, void *context, int n_shares, int own) {
    for (int i = 0; i < n_shares; i++) {
        share *const s = &the_pool.shares[(own + i) % n_shares];
        for (;;) {
            const int64_t piece = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
            if (piece >= s->end) break;
            work(context, piece);
        }
    }
}

static void *help(void *number) {
    pool *const p = &the_pool;
    const int own = (int)(intptr_t)number;
    uint64_t seen = 0;
    ts_fp_mode(ts_fp_default);
    for (;;) {
        for (int i = 0; i < AWAKE && __atomic_load_n(&p->jobs, __ATOMIC_RELAXED) == seen; i++) pause_briefly();
        pthread_mutex_lock(&p->lock);
        while (p->wanted == 0) pthread_cond_wait(&p->wake, &p->lock);
        seen = p->jobs;
        p->wanted--;
        __atomic_add_fetch(&p->active, 1, __ATOMIC_RELAXED);
        ts_work_fn *const work = p->work;
        void *const context = p->context;
        const int n_shares = p->n_shares;
        pthread_mutex_unlock(&p->lock);

        work_through(work, context, n_shares, own);

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
    if (p->helpers >= helpers) return helpers;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    while (p->helpers < helpers) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, help, (void *)(intptr_t)(p->helpers + 1)) != 0) break;
        pthread_detach(thread);
        p->threads[p->helpers++] = thread;
    }
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    return p->helpers;
}

static int open_job(pool *p, ts_work_fn *work, void *context, int64_t n_pieces, int n_shares) {
    pthread_mutex_lock(&p->lock);
    const int is_ours = !p->is_busy;
    if (is_ours) {
        p->is_busy = 1;
        p->work = work;
        p->context = context;
        p->n_shares = n_shares;
        for (int i = 0; i < n_shares; i++) {
            p->shares[i].next = n_pieces * i / n_shares;
            p->shares[i].end = n_pieces * (i + 1) / n_shares;
        }
        p->wanted = ensure(p, n_shares - 1);
        if (p->apart != p->helpers) p->avoided = -1; /* some are new */
        p->avoided = ts_keep_off(p->avoided, p->threads, p->helpers);
        p->apart = p->helpers;
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
    for (int i = 0; i < PATIENT && __atomic_load_n(&p->active, __ATOMIC_ACQUIRE) > 0; i++) pause_briefly();
    pthread_mutex_lock(&p->lock);
    while (p->active > 0) pthread_cond_wait(&p->done, &p->lock);
    p->is_busy = 0;
    pthread_mutex_unlock(&p->lock);
}

void ts_parallel(ts_work_fn *work, void *context, int64_t n_pieces, int threads) {
    const int64_t most = threads < MAX_THREADS ? threads : MAX_THREADS;
    const int n_shares = (int)(n_pieces < most ? n_pieces : most);
    if (n_shares < 2 || !open_job(&the_pool, work, context, n_pieces, n_shares)) {
        for (int64_t piece = 0; piece < n_pieces; piece++) work(context, piece);
        return;
    }
    work_through(work, context, n_shares, 0);
    close_job(&the_pool);
}
#else
void ts_parallel(ts_work_fn *work, void *context, int64_t n_pieces, int threads) {
    (void)threads;
    for (int64_t piece = 0; piece < n_pieces; piece++) work(context, piece);
}
#endif
