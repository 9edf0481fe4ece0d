#ifndef CPROBE_H
#define CPROBE_H

#include <stddef.h>
#include <stdint.h>

/// Writes two floats of 1 into each of `count` words: untouched pages would all be the kernel's one zero page, in the cache.
void cprobe_fill(uint64_t *words, size_t count);

/// Sum of `count` words, read from memory again in each call.
uint64_t cprobe_sum(const uint64_t *words, size_t count);

/// Nanoseconds of the clock of all timings: CLOCK_MONOTONIC on Linux, CLOCK_UPTIME_RAW on Apple.
int64_t cprobe_now_ns(void);

/// A barrier for `parties` threads: a pass must begin on all of them at once. Reusable. Null without memory.
typedef struct cprobe_barrier cprobe_barrier;
cprobe_barrier *cprobe_barrier_make(int parties);
void cprobe_barrier_wait(cprobe_barrier *barrier);
void cprobe_barrier_free(cprobe_barrier *barrier);

/// One thread's part of the probe: `rounds` times wait for the others, then read its words. `starts` and `ends` take a time for
/// each round.
void cprobe_read(const uint64_t *words, size_t count, int rounds, cprobe_barrier *barrier, int64_t *starts, int64_t *ends);

/// 64-byte aligned, zeroed memory; null if there is none. Freed with `cprobe_free`.
void *cprobe_allocate(size_t bytes);
void cprobe_free(void *memory);

#endif
