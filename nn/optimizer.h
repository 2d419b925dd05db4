// Optimizers over all leaves of a model, and the global gradient norm.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "engine/kernel.h"
#include "nn/optimizer_rules.h"
#include "nn/parameters.h"

namespace fade {

enum class OptimizerKind { sgd, adam, adamw, adagrad };

struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::adam;
  double lr = 3e-4;
  double beta1 = 0.9, beta2 = 0.999;  ///< adam, adamw
  double eps = 1e-8;                  ///< adam, adamw, adagrad
  double momentum = 0;                ///< sgd
  double weight_decay = 0;            ///< adamw: decoupled; the others: an L2 term in the gradient
};

/// One leaf and the optimizer's memory of it (up to two tensors of its shape).
struct OptimizerSlot {
  Tensor value;
  std::array<Tensor, 2> state;
};

/// sqrt(Σ g²) over the gradients of all leaves, accumulated in double precision; leaves without one count as
/// zero.
double grad_norm(const std::vector<Tensor>& leaves);

class Optimizer {
 public:
  Optimizer(const OptimizerConfig& config, const Parameters& parameters);

  /// One update of every leaf that has a gradient. `lr_factor` is the schedule's; `grad_scale` multiplies the
  /// gradients first (clipping, or averaging over accumulated blocks).
  void step(double lr_factor, double grad_scale = 1);

  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  /// What a checkpoint must keep beside the weights: for each parameter and each of the rule's states, a name
  /// ("first.NAME", "second.NAME") and the rows that belong to it.
  std::vector<Parameter> state() const;

 private:
  template <class Rule>
  void apply(const Rule& rule, double grad_scale, double l2);

  OptimizerConfig config_;
  const Parameters& parameters_;
  std::vector<OptimizerSlot> slots_;
  int64_t steps_ = 0;
};

/// Updates every slot's value and state from its value's gradient times grad_scale, plus l2·value. One launch
/// for all.
template <class Rule>
inline constinit Kernel<void(std::span<const OptimizerSlot>, const Rule&, double grad_scale, double l2)>
    optimizer_kernel{"optimizer"};

/// total = Σ over tensors of Σ g².
inline constinit Kernel<void(std::span<const Tensor> grads, double& total)> sum_of_squares_kernel{
    "sum_of_squares"};

}  // namespace fade
