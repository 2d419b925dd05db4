#include "nn/optimizer.h"

#include <cmath>

namespace fade {
namespace {

int states_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return SgdRule::states;
    case OptimizerKind::adagrad:
      return AdagradRule::states;
    default:
      return AdamRule::states;
  }
}

}  // namespace

double grad_norm(const std::vector<Tensor>& leaves) {
  std::vector<Tensor> grads;
  for (const Tensor& leaf : leaves)
    if (const Tensor g = leaf.grad()) grads.push_back(g);
  double total = 0;
  if (!grads.empty()) sum_of_squares_kernel(grads.front().device(), grads, total);
  return std::sqrt(total);
}

Optimizer::Optimizer(const OptimizerConfig& config, const Parameters& parameters)
    : config_(config), parameters_(parameters) {
  for (const Tensor& leaf : parameters.leaves()) {
    OptimizerSlot slot{leaf, {}};
    for (int s = 0; s < states_of(config.kind); ++s)
      slot.state[s] = Tensor::zeros(leaf.shape(), leaf.dtype(), leaf.device());
    slots_.push_back(slot);
  }
}

template <class Rule>
void Optimizer::apply(const Rule& rule, double grad_scale, double l2) {
  optimizer_kernel<Rule>(slots_.front().value.device(), slots_, rule, grad_scale, l2);
}

void Optimizer::step(double lr_factor, double grad_scale) {
  ++steps_;
  const OptimizerConfig& c = config_;
  const double lr = c.lr * lr_factor, t = static_cast<double>(steps_);
  const bool decoupled = c.kind == OptimizerKind::adamw;
  const double l2 = decoupled ? 0 : c.weight_decay;
  switch (c.kind) {
    case OptimizerKind::sgd:
      return apply(SgdRule{lr, c.momentum}, grad_scale, l2);
    case OptimizerKind::adagrad:
      return apply(AdagradRule{lr, c.eps}, grad_scale, l2);
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return apply(AdamRule{.beta1 = c.beta1,
                            .beta2 = c.beta2,
                            .eps = c.eps,
                            .step = lr / (1 - std::pow(c.beta1, t)),
                            .correction = std::sqrt(1 - std::pow(c.beta2, t)),
                            .decay = decoupled ? lr * c.weight_decay : 0},
                   grad_scale, l2);
  }
}

std::vector<Parameter> Optimizer::state() const {
  constexpr const char* names[] = {"first.", "second."};
  std::vector<Parameter> out;
  for (const Parameter& p : parameters_.all())
    for (const OptimizerSlot& slot : slots_)
      if (slot.value.impl() == p.leaf.impl())
        for (int s = 0; s < states_of(config_.kind); ++s)
          out.push_back({names[s] + p.name, slot.state[s], p.begin, p.end});
  return out;
}

}  // namespace fade
