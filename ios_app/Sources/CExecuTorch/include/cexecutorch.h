#ifndef CEXECUTORCH_H
#define CEXECUTORCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A loaded `forward(tokens int64[1,T], position int64[1]) -> logits float32[1,V]` with its cache inside.
typedef struct et_program et_program;

typedef struct {
  int out_of_memory;
  char message[240];
} et_error;

typedef enum { ET_FILE, ET_MMAP, ET_MLOCK } et_load_mode;

/// Version of ExecuTorch that this was compiled for; the runtime itself does not tell.
const char *et_version(void);

/// Sets the threads of the process's pool and loads the program. Null and `error` filled in if the runtime refuses.
et_program *et_load(const char *path, et_load_mode mode, int num_threads, et_error *error);

/// Threads of the pool.
int et_num_threads(void);

/// Names of the backends that the program was delegated to; null past the last one.
const char *et_backend(et_program *program, int index);

/// Runs `count` tokens, the first of which stands at `position`. 0 and `error` filled in if the runtime fails. `tokens` is read in
/// place and must stay where it is until the next call.
int et_forward(et_program *program, int64_t *tokens, int count, int64_t position, et_error *error);

/// Logits of the last token, `*count` of them, until the next call.
const float *et_logits(et_program *program, int *count);

void et_free(et_program *program);

#ifdef __cplusplus
}
#endif

#endif
