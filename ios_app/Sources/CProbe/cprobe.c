#include "cprobe.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FILL 0x3F8000003F800000ull

void cprobe_fill(uint64_t *words, size_t count) {
  for (size_t i = 0; i < count; i++) words[i] = FILL;
}

// Four accumulators, so that the adds do not wait for each other. The barriers keep the compiler from reusing an earlier sum.
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
