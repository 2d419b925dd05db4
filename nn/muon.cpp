#include "nn/muon.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul_kernels.h"
#include "ops/reduce/reduce.h"

namespace fade {
namespace {

// The matrices of one shape, from all layers: their products are batches.
void step_of_shape(std::span<const OptimizerSlot> slots, int64_t rows, int64_t columns,
                   const OptimizerConfig& config, double lr, const GradScale& scale, const Tensor& norm) {
  const Tensor& like = slots.front().value;
  int64_t matrices = 0;
  for (const OptimizerSlot& slot : slots) matrices += slot.matrices;
  const Tensor update = Tensor::zeros({matrices, rows, columns}, like.dtype(), like.device());
  // Calls f with each slot and its matrices in `all`, in the shape of its leaf.
  const auto each = [&](const Tensor& all, const auto& f) {
    int64_t begin = 0;
    for (const OptimizerSlot& slot : slots) {
      f(slot, all.rows(begin, begin + slot.matrices).view(slot.value.shape()));
      begin += slot.matrices;
    }
  };
  std::vector<OptimizerSlot> averaged, updated;
  each(update, [&](const OptimizerSlot& slot, const Tensor& u) {
    averaged.push_back({.value = u, .grad = slot.grad, .state = slot.state});
  });
  optimizer_kernel(like.device(), averaged, NesterovRule{config.muon_momentum}, scale, norm, 0);

  each(orthogonalise(update), [&](const OptimizerSlot& slot, const Tensor& o) {
    updated.push_back({.value = slot.value, .grad = o, .state = {averaged[updated.size()].value}});
  });
  // Without momentum this is p ← p − rate·(o + l2·p). Its state, the last o, is not needed.
  const double size = 0.2 * std::sqrt(static_cast<double>(std::max(rows, columns)));
  optimizer_kernel(like.device(), updated, SgdRule{.lr = lr * size, .momentum = 0}, {}, norm,
                   config.weight_decay / size);
}

}  // namespace

Tensor orthogonalise(const Tensor& m) {
  constexpr double a = 3.4445, b = -4.775, c = 2.0315;
  constexpr int kIterations = 5;
  const NoGrad off;
  const bool tall = m.size(1) > m.size(2);  // x·xᵀ, or xᵀ·x on the other side: whichever is smaller
  const Tensor flat = m.view({m.size(0), m.size(1) * m.size(2)});
  const Tensor norm = sqrt(sum(mul(flat, flat), 1, true)) + 1e-12;
  Tensor x = div(flat, norm).view(m.shape());
  for (int i = 0; i < kIterations; ++i) {
    const Tensor gram = matmul(x, x, {.a = tall, .b = !tall});
    const Tensor polynomial = scale(gram, b);  // b·G + c·G²
    matmul_into(scale(gram, c), gram, {}, {polynomial, true});
    const Tensor next = scale(x, a);
    if (tall)
      matmul_into(x, polynomial, {}, {next, true});
    else
      matmul_into(polynomial, x, {}, {next, true});
    x = next;
  }
  return x;
}

void muon_step(std::span<const OptimizerSlot> slots, const OptimizerConfig& config, double lr,
               const GradScale& scale, const Tensor& norm) {
  std::map<std::pair<int64_t, int64_t>, std::vector<OptimizerSlot>> by_shape;
  for (const OptimizerSlot& slot : slots) {
    const int64_t rows = slot.value.size(0) / slot.matrices;
    by_shape[{rows, slot.value.numel() / slot.value.size(0)}].push_back(slot);
  }
  for (const auto& [shape, group] : by_shape)
    step_of_shape(group, shape.first, shape.second, config, lr, scale, norm);
}

}  // namespace fade
