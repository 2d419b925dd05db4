#include "nn/optimizer.h"

#include <cmath>

namespace fade {

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
  const int states = std::visit([](const auto& rule) { return rule.states; }, rule_at(1, 1));
  for (const Tensor& leaf : parameters.leaves()) {
    OptimizerSlot slot{leaf, {}};
    for (int s = 0; s < states; ++s) slot.state[s] = Tensor::zeros(leaf.shape(), leaf.dtype(), leaf.device());
    slots_.push_back(slot);
  }
}

OptimizerRule Optimizer::rule_at(int64_t step, double lr_factor) const {
  const OptimizerConfig& c = config_;
  const double lr = c.lr * lr_factor, t = static_cast<double>(step);
  switch (c.kind) {
    case OptimizerKind::sgd:
      return SgdRule{lr, c.momentum};
    case OptimizerKind::adagrad:
      return AdagradRule{lr, c.eps};
    default:
      return AdamRule{.beta1 = c.beta1,
                      .beta2 = c.beta2,
                      .eps = c.eps,
                      .step = lr / (1 - std::pow(c.beta1, t)),
                      .correction = std::sqrt(1 - std::pow(c.beta2, t)),
                      .decay = c.kind == OptimizerKind::adamw ? lr * c.weight_decay : 0};
  }
}

void Optimizer::step(double lr_factor, const GradScale& scale, const Tensor& norm) {
  if (scale.clip > 0 && !norm)
    fail("optimizer: clipping to {} needs the gradients' norm (grad_norm)", scale.clip);
  ++steps_;
  const double l2 = config_.kind == OptimizerKind::adamw ? 0 : config_.weight_decay;
  optimizer_kernel(slots_.front().value.device(), slots_, rule_at(steps_, lr_factor), scale, norm, l2);
}

std::vector<Parameter> Optimizer::state() const {
  constexpr const char* names[] = {"first.", "second."};
  std::vector<Parameter> out;
  for (const Parameter& p : parameters_.all())
    for (const OptimizerSlot& slot : slots_)
      for (size_t s = 0; s < std::size(names); ++s)
        if (slot.value.impl() == p.leaf.impl() && slot.state[s])
          out.push_back({names[s] + p.name, slot.state[s], p.begin, p.end});
  return out;
}

}  // namespace fade
