// ExecuTorch behind a C header: its Swift API sets no threads and makes objects in each call.
#include "cexecutorch.h"

#include <cstdio>
#include <vector>

#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>
#include <executorch/runtime/platform/platform.h>

using executorch::aten::ScalarType;
using executorch::extension::from_blob;
using executorch::extension::Module;
using executorch::extension::TensorPtr;
using executorch::runtime::Error;
using executorch::runtime::EValue;

// extension/threadpool/threadpool.h is shipped neither with the wheel nor in Apple's framework; these are its declarations.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  size_t get_thread_count() const;
  bool _unsafe_reset_threadpool(uint32_t num_threads);
};
ThreadPool *get_threadpool();
}  // namespace executorch::extension::threadpool

using executorch::extension::threadpool::get_threadpool;

struct et_program {
  Module module;
  int64_t position = 0;
  TensorPtr position_tensor = from_blob(&position, {1}, ScalarType::Long);
  TensorPtr tokens;
  int64_t *bound = nullptr;
  int count = 0;
  std::vector<EValue> outputs;
  std::vector<std::string> backends;

  et_program(const char *path, Module::LoadMode mode) : module(path, mode) {}
};

// The wheel's runtime tells about itself on standard error; of that only errors are of use to whoever runs a harness.
extern "C" void et_pal_emit_log_message(et_timestamp_t, et_pal_log_level_t level, const char *file, const char *, size_t line,
                                        const char *message, size_t) {
  if (level == kError || level == kFatal) std::fprintf(stderr, "executorch: %s (%s:%zu)\n", message, file, line);
}

static void fill(et_error *error, const char *what, Error code) {
  error->out_of_memory = code == Error::MemoryAllocationFailed || code == Error::DelegateMemoryAllocationFailed;
  std::snprintf(error->message, sizeof error->message, "%s: %s", what, executorch::runtime::to_string(code));
}

static Module::LoadMode module_mode(et_load_mode mode) {
  switch (mode) {
    case ET_FILE: return Module::LoadMode::File;
    case ET_MMAP: return Module::LoadMode::Mmap;
    case ET_MLOCK: return Module::LoadMode::MmapUseMlock;
  }
}

const char *et_version(void) { return EXECUTORCH_VERSION; }

int et_num_threads(void) { return static_cast<int>(get_threadpool()->get_thread_count()); }

et_program *et_load(const char *path, et_load_mode mode, int num_threads, et_error *error) {
  get_threadpool()->_unsafe_reset_threadpool(static_cast<uint32_t>(num_threads));
  auto *program = new et_program(path, module_mode(mode));
  if (auto code = program->module.load_method("forward"); code != Error::Ok) {
    fill(error, "cannot load forward", code);
    delete program;
    return nullptr;
  }
  auto meta = program->module.method_meta("forward");
  for (size_t i = 0; meta.ok() && i < meta->num_backends(); i++) {
    if (auto name = meta->get_backend_name(i); name.ok()) program->backends.emplace_back(*name);
  }
  return program;
}

const char *et_backend(et_program *program, int index) {
  return static_cast<size_t>(index) < program->backends.size() ? program->backends[index].c_str() : nullptr;
}

int et_forward(et_program *program, int64_t *tokens, int count, int64_t position, et_error *error) {
  program->position = position;
  if (tokens != program->bound || count != program->count) {
    program->tokens = from_blob(tokens, {1, count}, ScalarType::Long);
    program->bound = tokens;
    program->count = count;
  }
  auto result = program->module.forward({program->tokens, program->position_tensor});
  if (!result.ok()) {
    fill(error, "forward failed", result.error());
    return 0;
  }
  program->outputs = std::move(*result);
  return 1;
}

const float *et_logits(et_program *program, int *count) {
  auto logits = program->outputs[0].toTensor();
  *count = static_cast<int>(logits.size(logits.dim() - 1));
  return logits.const_data_ptr<float>() + logits.numel() - *count;
}

void et_free(et_program *program) { delete program; }
