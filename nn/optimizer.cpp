#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>

namespace fade {
namespace {

// The rule of step `t`, from 1 on.
OptimizerRule rule_of(const OptimizerConfig& c, double t, double lr, double weight_decay) {
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
                      .decay = c.kind == OptimizerKind::adamw ? lr * weight_decay : 0};
  }
}

void check_config(const OptimizerConfig& c) {
  const auto check = [](const char* name, double value, bool right, const char* needed) {
    if (!right) fail("optimizer: {} is {} (needs {})", name, value, needed);
  };
  check("lr", c.lr, c.lr >= 0 && std::isfinite(c.lr), "0 or more");
  check("beta1", c.beta1, c.beta1 >= 0 && c.beta1 < 1, "0 <= beta1 < 1");
  check("beta2", c.beta2, c.beta2 >= 0 && c.beta2 < 1, "0 <= beta2 < 1");
  check("eps", c.eps, c.eps > 0 && std::isfinite(c.eps), "more than 0");
  check("momentum", c.momentum, c.momentum >= 0 && c.momentum < 1, "0 <= momentum < 1");
  check("weight_decay", c.weight_decay, c.weight_decay >= 0 && std::isfinite(c.weight_decay), "0 or more");
}

}  // namespace

std::vector<std::string> state_names(OptimizerKind kind) {
  return std::visit(
      [](const auto& rule) { return std::vector<std::string>(rule.names.begin(), rule.names.end()); },
      rule_of({.kind = kind}, 1, 0, 0));
}

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
  check_config(config);
  const size_t states = state_names(config.kind).size();
  const auto slots_of = [&](Decay decay) {
    std::vector<OptimizerSlot> slots;
    for (const Tensor& leaf : parameters.leaves(decay)) {
      OptimizerSlot slot{leaf, {}};
      for (size_t s = 0; s < states; ++s)
        slot.state[s] = Tensor::zeros(leaf.shape(), leaf.dtype(), leaf.device());
      slots.push_back(slot);
    }
    return slots;
  };
  decaying_ = slots_of(Decay::yes);
  others_ = slots_of(Decay::no);
}

void Optimizer::step(double lr_factor, const GradScale& scale, const Tensor& norm) {
  if (scale.clip > 0 && !norm)
    fail("optimizer: clipping to {} needs the gradients' norm (grad_norm)", scale.clip);
  const std::vector<Tensor>& leaves = parameters_.leaves();
  if (leaves.size() != decaying_.size() + others_.size())
    fail("optimizer: {} parameter tensors, {} when it was made (make the optimizer after all layers)",
         leaves.size(), decaying_.size() + others_.size());
  if (std::ranges::none_of(leaves, [](const Tensor& leaf) { return static_cast<bool>(leaf.grad()); }))
    fail("optimizer: no parameter has a gradient (call backward on a loss before step, zero_grad after it)");
  ++steps_;
  step(decaying_, lr_factor, config_.weight_decay, scale, norm);
  step(others_, lr_factor, 0, scale, norm);
}

void Optimizer::step(std::span<const OptimizerSlot> slots, double lr_factor, double weight_decay,
                     const GradScale& scale, const Tensor& norm) const {
  if (slots.empty()) return;
  const OptimizerRule rule =
      rule_of(config_, static_cast<double>(steps_), config_.lr * lr_factor, weight_decay);
  const double l2 = config_.kind == OptimizerKind::adamw ? 0 : weight_decay;
  optimizer_kernel(slots.front().value.device(), slots, rule, scale, norm, l2);
}

std::vector<Parameter> Optimizer::state() const {
  const std::vector<std::string> names = state_names(config_.kind);
  std::vector<Parameter> out;
  for (const Parameter& p : parameters_.all())
    for (const OptimizerSlot& slot : p.decay == Decay::yes ? decaying_ : others_)
      for (size_t s = 0; s < names.size(); ++s)
        if (slot.value.impl() == p.leaf.impl())
          out.push_back({names[s] + p.name, slot.state[s], p.begin, p.end});
  return out;
}

}  // namespace fade
