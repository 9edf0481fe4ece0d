#ifndef CPROBE_H
#define CPROBE_H

#include <stddef.h>
#include <stdint.h>

/// Writes two floats of 1 into each of `count` words: untouched pages would all be the kernel's one zero page, in the cache.
void cprobe_fill(uint64_t *words, size_t count);

/// Sum of `count` words, read from memory again in each call.
uint64_t cprobe_sum(const uint64_t *words, size_t count);

/// A barrier for `parties` threads that spins: a pass must begin on all of them at once. Reusable.
typedef struct cprobe_barrier cprobe_barrier;
cprobe_barrier *cprobe_barrier_make(int parties);
void cprobe_barrier_wait(cprobe_barrier *barrier);
void cprobe_barrier_free(cprobe_barrier *barrier);

#endif
