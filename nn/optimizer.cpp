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

Tensor grad_norm(const std::vector<Tensor>& leaves) {
  std::vector<Tensor> grads;
  for (const Tensor& leaf : leaves)
    if (const Tensor g = leaf.grad()) grads.push_back(g);
  const Device device = leaves.empty() ? Device::cpu : leaves.front().device();
  const Tensor norm = Tensor::empty({}, DType::f64, device);
  grad_norm_kernel(device, grads, norm);
  return norm;
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
void Optimizer::apply(const Rule& rule, const ScaledBy& scaled, double l2) {
  optimizer_kernel<Rule>(slots_.front().value.device(), slots_, rule, scaled, l2);
}

void Optimizer::step(double lr_factor, const GradScale& scale, const Tensor& norm) {
  if (scale.clip > 0 && !norm)
    fail("optimizer: clipping to {} needs the gradients' norm (grad_norm)", scale.clip);
  const ScaledBy scaled{scale, norm};
  ++steps_;
  const OptimizerConfig& c = config_;
  const double lr = c.lr * lr_factor, t = static_cast<double>(steps_);
  const bool decoupled = c.kind == OptimizerKind::adamw;
  const double l2 = decoupled ? 0 : c.weight_decay;
  switch (c.kind) {
    case OptimizerKind::sgd:
      return apply(SgdRule{lr, c.momentum}, scaled, l2);
    case OptimizerKind::adagrad:
      return apply(AdagradRule{lr, c.eps}, scaled, l2);
    case OptimizerKind::adam:
    case OptimizerKind::adamw:
      return apply(AdamRule{.beta1 = c.beta1,
                            .beta2 = c.beta2,
                            .eps = c.eps,
                            .step = lr / (1 - std::pow(c.beta1, t)),
                            .correction = std::sqrt(1 - std::pow(c.beta2, t)),
                            .decay = decoupled ? lr * c.weight_decay : 0},
                   scaled, l2);
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
