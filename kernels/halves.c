/* Arrays of bfloat16 and float16, cut into pieces for the threads of the pool. What is drawn for an element depends on
 * its index and the step alone, so that the bits are the same for any number of threads. */
#include "kernels.h"

#include "trainstation/simd/scalar.h"

#include "trainstation/codec.h"

/* Elements. Pieces divide 2^32: one key serves all of one. */
enum { LEAST_PARALLEL = 1 << 17, PIECE = 1 << 14 };

extern const ts_halves ts_halves_scalar;
#ifdef TS_X86
extern const ts_halves ts_halves_avx2, ts_halves_avx512;
#endif
#ifdef TS_ARM64
extern const ts_halves ts_halves_neon;
#endif

static const ts_halves *halves_of(int isa) {
    switch (isa) {
#ifdef TS_X86
    case TS_AVX2: return &ts_halves_avx2;
    case TS_AVX512: return &ts_halves_avx512;
#endif
#ifdef TS_ARM64
    case TS_NEON: return &ts_halves_neon;
#endif
    default: return &ts_halves_scalar;
    }
}

typedef struct {
    const ts_halves *of;
    char *to;
    const char *from;
    int64_t t, n;
    int is_float16, is_random;
} job;

static int64_t size_of(const job *j, int64_t begin) { return j->n - begin < PIECE ? j->n - begin : PIECE; }

static void widen_piece(void *context, int64_t piece) {
    const job *j = (const job *)context;
    const int64_t begin = piece * PIECE;
    j->of->widen[j->is_float16](j->to + 4 * begin, j->from + 2 * begin, size_of(j, begin));
}

static void narrow_piece(void *context, int64_t piece) {
    const job *j = (const job *)context;
    const int64_t begin = piece * PIECE;
    j->of->narrow[j->is_random][j->is_float16](j->to + 2 * begin, j->from + 4 * begin, ts_codec_key(j->t, begin),
                                               (uint32_t)begin, size_of(j, begin));
}

static void run(job *j, ts_work_fn *work, int threads) {
    const uint64_t caller = ts_fp_mode(ts_fp_default);
    ts_parallel(work, j, (j->n + PIECE - 1) / PIECE, j->n < LEAST_PARALLEL ? 1 : threads);
    ts_fp_mode(caller);
}

void ts_widen(int isa, int threads, int is_float16, void *to, const void *from, int64_t n) {
    job j = {.of = halves_of(isa), .to = (char *)to, .from = (const char *)from, .n = n, .is_float16 = is_float16};
    run(&j, widen_piece, threads);
}

void ts_narrow(int isa, int threads, int is_float16, int is_random, int64_t t, void *to, const void *from, int64_t n) {
    job j = {.of = halves_of(isa), .to = (char *)to, .from = (const char *)from, .t = t, .n = n,
             .is_float16 = is_float16, .is_random = is_random};
    run(&j, narrow_piece, threads);
}
