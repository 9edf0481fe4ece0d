// The two kernels of the `llama` namespace that decoders need and the wheel's C++ libraries lack, for Linux alone. They give the right
// tokens at a speed that says nothing about the real ones: records made with them carry `+test-kernels` in the runtime's version.
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include <executorch/extension/kernel_util/make_boxed_from_unboxed_functor.h>
#include <executorch/runtime/core/exec_aten/util/tensor_util.h>

using executorch::aten::Tensor;
using executorch::runtime::KernelRuntimeContext;

namespace {

/// value [1, T, heads, size] into cache [1, max_context, heads, size] from `start` on.
Tensor &update_cache(KernelRuntimeContext &, const Tensor &value, Tensor &cache, const int64_t start, Tensor &out) {
  const size_t row = cache.size(2) * cache.size(3);
  std::memcpy(cache.mutable_data_ptr<float>() + start * row, value.const_data_ptr<float>(), value.size(1) * row * sizeof(float));
  return out;
}

/// One head of one token: softmax over `length` scores, weighted sum of the values.
void attend(const float *q, const float *k, const float *v, const float *mask, int64_t length, int64_t stride, int64_t size, float scale,
            std::vector<float> &weights, float *out) {
  float most = -INFINITY, sum = 0;
  for (int64_t j = 0; j < length; j++) {
    float dot = 0;
    for (int64_t i = 0; i < size; i++) dot += q[i] * k[j * stride + i];
    weights[j] = dot * scale + (mask ? mask[j] : 0);
    most = std::fmax(most, weights[j]);
  }
  for (int64_t j = 0; j < length; j++) sum += weights[j] = std::exp(weights[j] - most);
  std::memset(out, 0, size * sizeof(float));
  for (int64_t j = 0; j < length; j++) {
    for (int64_t i = 0; i < size; i++) out[i] += weights[j] / sum * v[j * stride + i];
  }
}

/// q [1, T, heads, size] on caches [1, max_context, kv heads, size]; token t stands at start + t.
Tensor &custom_sdpa(KernelRuntimeContext &, const Tensor &q, const Tensor &k, const Tensor &v, const int64_t start,
                    const std::optional<Tensor> &mask, const double, const bool is_causal, const std::optional<double> scale, Tensor &out) {
  (void)executorch::runtime::resize_tensor(out, q.sizes());
  const int64_t tokens = q.size(1), heads = q.size(2), size = q.size(3), kv_heads = k.size(2);
  const float factor = scale ? static_cast<float>(*scale) : 1 / std::sqrt(static_cast<float>(size));
  std::vector<float> weights(start + tokens);
  for (int64_t t = 0; t < tokens; t++) {
    const int64_t length = is_causal ? start + t + 1 : start + tokens;
    const float *row = mask && !is_causal ? mask->const_data_ptr<float>() + t * mask->size(1) : nullptr;
    for (int64_t h = 0; h < heads; h++) {
      const int64_t kv = h * kv_heads / heads, place = (t * heads + h) * size;
      attend(q.const_data_ptr<float>() + place, k.const_data_ptr<float>() + kv * size, v.const_data_ptr<float>() + kv * size, row, length,
             kv_heads * size, size, factor, weights, out.mutable_data_ptr<float>() + place);
    }
  }
  return out;
}

}  // namespace

EXECUTORCH_LIBRARY(llama, "update_cache.out", update_cache);
EXECUTORCH_LIBRARY(llama, "custom_sdpa.out", custom_sdpa);
