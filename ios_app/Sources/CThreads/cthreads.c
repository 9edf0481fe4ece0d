#include "cthreads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#ifdef __APPLE__
#include <pthread/qos.h>
#endif

struct worker {
  pthread_t id;
  void (*work)(void *);
  void *argument;
};

void cthreads_raise(void) {
#ifdef __APPLE__
  pthread_set_qos_class_self_np(QOS_CLASS_USER_INTERACTIVE, 0);
#endif
}

static void *run(void *argument) {
  struct worker *worker = argument;
  cthreads_raise();
  worker->work(worker->argument);
  return NULL;
}

void *cthreads_start(void *counter, void (*work)(void *), void *argument) {
  struct worker *worker = malloc(sizeof *worker);
  if (worker == NULL) return NULL;
  worker->work = work;
  worker->argument = argument;
  if (pthread_create(&worker->id, NULL, run, worker) != 0) {
    free(worker);
    return NULL;
  }
  if (counter != NULL) __atomic_add_fetch((int *)counter, 1, __ATOMIC_RELAXED);
  return worker;
}

void cthreads_join(void *thread) {
  struct worker *worker = thread;
  pthread_join(worker->id, NULL);
  free(worker);
}
