// Optimizers over all parameters of a model, and the global gradient norm.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "engine/kernel.h"
#include "nn/optimizer_rules.h"
#include "nn/parameters.h"

namespace fade {

/// The rule of an update (nn/optimizer_rules.h).
enum class OptimizerKind {
  sgd,      ///< SgdRule
  adam,     ///< AdamRule
  adamw,    ///< AdamRule with decoupled weight decay
  adagrad,  ///< AdagradRule
  muon      ///< nn/muon.h for matrices, as adamw for the rest
};

/// An optimizer's settings.
struct OptimizerConfig {
  OptimizerKind kind = OptimizerKind::adam;  ///< the rule
  double lr = 3e-4;                          ///< learning rate, before the schedule's factor
  double beta1 = 0.9;                        ///< adam, adamw, muon: decay of the gradient's mean
  double beta2 = 0.999;                      ///< adam, adamw, muon: decay of the gradient's mean square
  double eps = 1e-8;                         ///< adam, adamw, muon, adagrad: added to the divisor
  double momentum = 0;                       ///< sgd: share of the previous update that is kept
  double muon_momentum = 0.95;               ///< muon: decay of the mean gradient of matrices
  double weight_decay = 0;  ///< of matrices and tables; adamw, muon: decoupled; others: L2 in the gradient
};

/// A tensor to update, and the state that the optimizer keeps for it.
struct OptimizerSlot {
  Tensor value;                 ///< of a leaf
  Tensor grad = {};             ///< its gradient in this step
  std::array<Tensor, 2> state;  ///< of its shape and type, zeros at first; as many as the rule has
  int64_t matrices = 1;         ///< stacked in it, along the first dimension
};

/// What the names of a kind's states begin with in checkpoints, for parameters of this role: "adam.m.".
std::vector<std::string> state_names(OptimizerKind kind, Role role = Role::vector);

/// sqrt(Σ g²) over the gradients of all leaves, accumulated in double precision; leaves without a gradient
/// count as zero. f64 [], on the leaves' device: the host does not wait for it. The leaves are of one type.
Tensor grad_norm(const std::vector<Tensor>& leaves);

/// An optimizer of all parameters of a model, with its state.
class Optimizer {
 public:
  /// With a state of zeros. `parameters` must outlive the optimizer, and must not grow. Throws Error for a
  /// number in `config` that the rule cannot use.
  Optimizer(const OptimizerConfig& config, const Parameters& parameters);
  /// A temporary would not outlive it.
  Optimizer(const OptimizerConfig& config, const Parameters&& parameters) = delete;

  /// One update of every leaf that has a gradient. `lr_factor` comes from the schedule. `scale` is applied to
  /// the gradients first, given their `norm` (f64 [] on the leaves' device; only clipping needs one). If the
  /// norm is not finite, no value and no state changes; the host finds out when it reads the norm, and takes
  /// the step back with set_steps. Throws Error when clipping lacks a norm, when no leaf has a gradient, and
  /// when leaves were added since the optimizer was made.
  void step(double lr_factor = 1, const GradScale& scale = {}, const Tensor& norm = {});

  /// Updates since the state was zero, by which Adam corrects the bias of its moments.
  int64_t steps() const { return steps_; }
  /// For a state that was read from a checkpoint, and after a step that was not finite.
  void set_steps(int64_t steps) { steps_ = steps; }
  /// The state that a checkpoint needs besides the weights: per parameter and state of the rule, a name
  /// ("adam.m.NAME") and the rows that belong to it.
  std::vector<Parameter> state() const;

 private:
  void step(Role role, double lr_factor, const GradScale& scale, const Tensor& norm) const;

  OptimizerConfig config_;
  const Parameters& parameters_;
  std::array<std::vector<OptimizerSlot>, 3> slots_;  ///< by Role
  int64_t steps_ = 0;
};

/// Updates value and state of every slot, one at least, from its gradient times the scale's factor for `norm`
/// (f64 [], or an empty tensor), plus l2·value. No change if the norm is not finite. The slots are of one type.
/// One launch for many slots.
inline constinit Kernel<void(std::span<const OptimizerSlot>, const OptimizerRule&, const GradScale&,
                             const Tensor& norm, double l2)>
    optimizer_kernel{"optimizer"};

/// norm = sqrt(Σ over tensors of Σ g²), f64 []. The tensors are of one type.
inline constinit Kernel<void(std::span<const Tensor> grads, Out norm)> grad_norm_kernel{"grad_norm"};

}  // namespace fade
