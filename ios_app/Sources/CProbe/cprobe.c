#include "cprobe.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FILL 0x3F8000003F800000ull

void cprobe_fill(uint64_t *words, size_t count) {
  for (size_t i = 0; i < count; i++) words[i] = FILL;
}

// Four accumulators, so that the adds do not wait for each other. The empty assembler keeps the compiler from using an earlier sum.
uint64_t cprobe_sum(const uint64_t *words, size_t count) {
  uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  size_t i = 0;
  __asm__ volatile("" : : "r"(words) : "memory");
  for (; i + 4 <= count; i += 4) {
    s0 += words[i];
    s1 += words[i + 1];
    s2 += words[i + 2];
    s3 += words[i + 3];
  }
  for (; i < count; i++) s0 += words[i];
  uint64_t sum = s0 + s1 + s2 + s3;
  __asm__ volatile("" : "+r"(sum) : : "memory");
  return sum;
}

int64_t cprobe_now_ns(void) {
#ifdef __APPLE__
  return (int64_t)clock_gettime_nsec_np(CLOCK_UPTIME_RAW);
#else
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
#endif
}

struct cprobe_barrier {
  int parties;
  atomic_int waiting;
  atomic_int generation;
};

cprobe_barrier *cprobe_barrier_make(int parties) {
  cprobe_barrier *barrier = malloc(sizeof *barrier);
  if (barrier == NULL) return NULL;
  barrier->parties = parties;
  atomic_init(&barrier->waiting, 0);
  atomic_init(&barrier->generation, 0);
  return barrier;
}

void cprobe_barrier_wait(cprobe_barrier *barrier) {
  int generation = atomic_load(&barrier->generation);
  if (atomic_fetch_add(&barrier->waiting, 1) + 1 == barrier->parties) {
    atomic_store(&barrier->waiting, 0);
    atomic_fetch_add(&barrier->generation, 1);
    return;
  }
  while (atomic_load(&barrier->generation) == generation) sched_yield();
}

void cprobe_barrier_free(cprobe_barrier *barrier) { free(barrier); }

void cprobe_read(const uint64_t *words, size_t count, int rounds, cprobe_barrier *barrier, int64_t *starts, int64_t *ends) {
  for (int round = 0; round < rounds; round++) {
    cprobe_barrier_wait(barrier);
    starts[round] = cprobe_now_ns();
    cprobe_sum(words, count);
    ends[round] = cprobe_now_ns();
  }
}

void *cprobe_allocate(size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, 64, bytes) != 0) return NULL;
  memset(memory, 0, bytes);
  return memory;
}

void cprobe_free(void *memory) { free(memory); }
