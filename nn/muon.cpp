#include "nn/muon.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <map>
#include <vector>

#include "engine/parallel.h"
#include "engine/product_precision.h"
#include "engine/tape.h"
#include "nn/muon_kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul_kernels.h"
#include "ops/reduce/reduce.h"

namespace fade {
namespace {

constexpr int kIterations = 5;

// q(A) = a·I + b·A + c·A² of each matrix: with one product, (√c·A + b/(2√c)·I)² + (a − b²/(4c))·I.
Tensor polynomial(const Tensor& A) {
  constexpr double a = 3.4445, b = -4.775, c = 2.0315;
  const Tensor square_root = scale(A, std::sqrt(c));
  add_to_diagonal_kernel(A.device(), b / (2 * std::sqrt(c)), square_root);
  const Tensor q = symmetric_matmul(square_root, square_root);
  add_to_diagonal_kernel(A.device(), a - b * b / (4 * c), q);
  return q;
}

// What `iterations` multiply x by, from its A = x·xᵀ (or xᵀ·x): the product of q(A), q(A′), ..,  A′ = q(A)·A·q(A).
Tensor factor_of(Tensor A, int iterations) {
  Tensor factor = polynomial(A);
  for (Tensor q = factor; --iterations > 0; factor = symmetric_matmul(q, factor)) {
    A = symmetric_matmul(symmetric_matmul(q, A), q);
    q = polynomial(A);
  }
  return factor;
}

// How many iterations use one A = x·xᵀ: fewer operations unless x is almost square. Rounding to TF32 would
// make small eigenvalues of A negative, and these grow (muon.md).
int iterations_at_once(const Tensor& x) {
  const auto [smaller, larger] = std::minmax({x.size(1), x.size(2)});
  const bool exact =
      x.device() == Device::cpu || x.dtype() == DType::f64 || product_precision() == ProductPrecision::f32;
  return exact && 2 * larger > 3 * smaller ? kIterations : 1;
}

// Rows and columns of the matrices of a slot.
std::pair<int64_t, int64_t> shape_of(const OptimizerSlot& slot) {
  return {slot.value.size(0) / slot.matrices, slot.value.numel() / slot.value.size(0)};
}

// The matrices of slots of one shape: their products are batches.
void step_of_shape(std::span<const OptimizerSlot> slots, const OptimizerConfig& config, double lr,
                   const GradScale& scale, const Tensor& norm) {
  const auto [rows, columns] = shape_of(slots.front());
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
  const NoGrad off;
  const bool tall = m.size(1) >= m.size(2);  // xᵀ·x, or x·xᵀ: whichever is smaller
  const Tensor flat = m.view({m.size(0), m.size(1) * m.size(2)});
  const Tensor norm = sqrt(sum(mul(flat, flat), 1, true)) + 1e-12;
  Tensor x = div(flat, norm).view(m.shape());
  const int at_once = iterations_at_once(x);
  for (int done = 0; done < kIterations; done += at_once) {
    const Tensor factor = factor_of(symmetric_matmul(x, x, {.a = tall, .b = !tall}), at_once);
    x = tall ? matmul(x, factor) : matmul(factor, x);
  }
  return x;
}

void muon_step(std::span<const OptimizerSlot> slots, const OptimizerConfig& config, double lr,
               const GradScale& scale, const Tensor& norm) {
  if (slots.front().value.device() == Device::cpu) {
    std::vector<OptimizerSlot> ordered(slots.begin(), slots.end());
    std::ranges::stable_sort(ordered, std::greater{}, [](const OptimizerSlot& s) { return s.value.numel(); });
    int64_t all = 0;
    for (const OptimizerSlot& slot : slots) all += slot.value.numel();
    // A thread takes the next leaf when it has finished one, large ones first. If the largest is more than a thread's
    // share, leaves follow one another, and the threads share each product.
    const bool share_products = ordered.front().value.numel() * threads() > all;
    std::atomic<size_t> next{0};
    return parallel_for(std::ssize(ordered), share_products ? std::ssize(ordered) : 1, [&](int64_t, int64_t) {
      for (size_t i = next++; i < ordered.size(); i = next++)
        step_of_shape(std::span(ordered).subspan(i, 1), config, lr, scale, norm);
    });
  }
  std::map<std::pair<int64_t, int64_t>, std::vector<OptimizerSlot>> by_shape;
  for (const OptimizerSlot& slot : slots) by_shape[shape_of(slot)].push_back(slot);
  for (const auto& [shape, group] : by_shape) step_of_shape(group, config, lr, scale, norm);
}

}  // namespace fade
