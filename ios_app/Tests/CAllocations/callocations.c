// For tests: the program's own malloc family, which counts and hands on to glibc's.
#include "callocations.h"

#include <stddef.h>

#include <stdlib.h>

#ifdef __GLIBC__
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static __thread long count;

void *malloc(size_t bytes) {
  count++;
  return __libc_malloc(bytes);
}

void *calloc(size_t members, size_t bytes) {
  count++;
  return __libc_calloc(members, bytes);
}

void *realloc(void *memory, size_t bytes) {
  count++;
  return __libc_realloc(memory, bytes);
}

long callocations_count(void) { return count; }
#else
long callocations_count(void) { return -1; }
#endif
