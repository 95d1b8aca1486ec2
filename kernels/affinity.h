#ifndef TS_AFFINITY_H
#define TS_AFFINITY_H

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>

int ts_keep_off(int avoided, const pthread_t *threads, int n);
#endif

#endif
