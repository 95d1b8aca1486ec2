/* Which processors the helpers of the pool may use. Linux as the guest of a hypervisor takes a halted processor for one
 * that is taken away: it would wake them on the caller's, behind the caller, who has done everything by the time that
 * it lets them run. */
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "affinity.h"

#if defined(__linux__)
#include <sched.h>

/* Keeps threads off the processor of the caller, on others that it may use; they are kept off `avoided` already.
 * Returns which one they are kept off now. */
int ts_keep_off(int avoided, const pthread_t *threads, int n) {
    const int here = sched_getcpu();
    cpu_set_t others;
    if (here == avoided || here < 0 || here >= CPU_SETSIZE) return avoided;
    if (sched_getaffinity(0, sizeof others, &others) != 0) return avoided;
    CPU_CLR((size_t)here, &others);
    if (CPU_COUNT(&others) == 0) return avoided;
    for (int i = 0; i < n; i++) (void)pthread_setaffinity_np(threads[i], sizeof others, &others);
    return here;
}
#elif defined(__unix__) || defined(__APPLE__)
int ts_keep_off(int avoided, const pthread_t *threads, int n) {
    (void)threads;
    (void)n;
    return avoided;
}
#endif
