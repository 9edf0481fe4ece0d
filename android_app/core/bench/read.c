// Read bandwidth as the harness' probe measures it, in C: 64-bit sums with four accumulators, each thread over its part of one
// buffer, times stamped inside the workers. Prints the nanoseconds of each pass, a line each.
//   cc -O3 -pthread read.c -o read && ./read BYTES THREADS PASSES        (Linux)
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WARM_UP_PASSES = 2 };
static const uint64_t FILL = 0x3F8000003F800000u;

static const uint64_t *words;
static size_t num_words;
static long num_threads, rounds;
static int64_t *starts, *ends; // [threads, rounds]
static pthread_barrier_t barrier;
static volatile uint64_t sink;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t sum(const uint64_t *a, size_t n) {
    uint64_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t i = 0;
    for (; i + 3 < n; i += 4) {
        s0 += a[i];
        s1 += a[i + 1];
        s2 += a[i + 2];
        s3 += a[i + 3];
    }
    for (; i < n; i++) s0 += a[i];
    return s0 + s1 + s2 + s3;
}

static void *work(void *argument) {
    long k = (long)(intptr_t)argument;
    size_t from = num_words * k / num_threads, until = num_words * (k + 1) / num_threads;
    for (long round = 0; round < rounds; round++) {
        pthread_barrier_wait(&barrier);
        starts[k * rounds + round] = now_ns();
        sink += sum(words + from, until - from);
        ends[k * rounds + round] = now_ns();
    }
    return NULL;
}

static int64_t pass_ns(long round) {
    int64_t first = INT64_MAX, last = 0;
    for (long k = 0; k < num_threads; k++) {
        if (starts[k * rounds + round] < first) first = starts[k * rounds + round];
        if (ends[k * rounds + round] > last) last = ends[k * rounds + round];
    }
    return last - first;
}

int main(int argc, char **argv) {
    if (argc != 4 || atoll(argv[1]) < 8 || atol(argv[2]) < 1 || atol(argv[3]) < 1) {
        fprintf(stderr, "usage: read BYTES THREADS PASSES\n");
        return 2;
    }
    num_words = (size_t)atoll(argv[1]) / 8;
    num_threads = atol(argv[2]);
    rounds = atol(argv[3]) + WARM_UP_PASSES;
    uint64_t *buffer = malloc(num_words * 8);
    pthread_t *threads = malloc(num_threads * sizeof *threads);
    starts = malloc(num_threads * rounds * sizeof *starts);
    ends = malloc(num_threads * rounds * sizeof *ends);
    if (!buffer || !threads || !starts || !ends || pthread_barrier_init(&barrier, NULL, num_threads)) {
        fprintf(stderr, "read: no memory\n");
        return 1;
    }
    for (size_t i = 0; i < num_words; i++) buffer[i] = FILL;
    words = buffer;
    for (long k = 0; k < num_threads; k++) {
        if (pthread_create(&threads[k], NULL, work, (void *)(intptr_t)k)) {
            fprintf(stderr, "read: no thread\n");
            return 1;
        }
    }
    for (long k = 0; k < num_threads; k++) pthread_join(threads[k], NULL);
    for (long round = WARM_UP_PASSES; round < rounds; round++) printf("%" PRId64 "\n", pass_ns(round));
    return 0;
}
