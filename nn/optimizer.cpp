#include "nn/optimizer.h"

#include <algorithm>
#include <cmath>

#include "nn/muon.h"

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
                      .decay = c.kind == OptimizerKind::adam ? 0 : lr * weight_decay};
  }
}

bool uses_muon(OptimizerKind kind, Role role) { return kind == OptimizerKind::muon && role == Role::matrix; }

constexpr Role kRoles[] = {Role::vector, Role::table, Role::matrix};

void check_config(const OptimizerConfig& c) {
  const auto check = [](const char* name, double value, bool right, const char* needed) {
    if (!right) fail("optimizer: {} is {} (needs {})", name, value, needed);
  };
  check("lr", c.lr, c.lr >= 0 && std::isfinite(c.lr), "0 or more");
  check("beta1", c.beta1, c.beta1 >= 0 && c.beta1 < 1, "0 <= beta1 < 1");
  check("beta2", c.beta2, c.beta2 >= 0 && c.beta2 < 1, "0 <= beta2 < 1");
  check("eps", c.eps, c.eps > 0 && std::isfinite(c.eps), "more than 0");
  check("momentum", c.momentum, c.momentum >= 0 && c.momentum < 1, "0 <= momentum < 1");
  check("muon_momentum", c.muon_momentum, c.muon_momentum >= 0 && c.muon_momentum < 1,
        "0 <= muon_momentum < 1");
  check("weight_decay", c.weight_decay, c.weight_decay >= 0 && std::isfinite(c.weight_decay), "0 or more");
}

}  // namespace

std::vector<std::string> state_names(OptimizerKind kind, Role role) {
  const OptimizerRule rule = uses_muon(kind, role) ? NesterovRule{} : rule_of({.kind = kind}, 1, 0, 0);
  return std::visit([](const auto& r) { return std::vector<std::string>(r.names.begin(), r.names.end()); },
                    rule);
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
  for (const Role role : kRoles)
    for (const Tensor& leaf : parameters.leaves(role)) {
      OptimizerSlot slot{.value = leaf, .state = {}};
      for (size_t s = 0; s < state_names(config.kind, role).size(); ++s)
        slot.state[s] = Tensor::zeros(leaf.shape(), leaf.dtype(), leaf.device());
      slot.matrices =
          std::ranges::count(parameters.all(), leaf.impl(), [](const Parameter& p) { return p.leaf.impl(); });
      slots_[static_cast<size_t>(role)].push_back(slot);
    }
}

void Optimizer::step(double lr_factor, const GradScale& scale, const Tensor& norm) {
  if (scale.clip > 0 && !norm)
    fail("optimizer: clipping to {} needs the gradients' norm (grad_norm)", scale.clip);
  const std::vector<Tensor>& leaves = parameters_.leaves();
  size_t had = 0;
  for (const auto& slots : slots_) had += slots.size();
  if (leaves.size() != had)
    fail("optimizer: {} parameter tensors, {} when it was made (make the optimizer after all layers)",
         leaves.size(), had);
  if (std::ranges::none_of(leaves, [](const Tensor& leaf) { return static_cast<bool>(leaf.grad()); }))
    fail("optimizer: no parameter has a gradient (call backward on a loss before step, zero_grad after it)");
  ++steps_;
  for (const Role role : kRoles) step(role, lr_factor, scale, norm);
}

void Optimizer::step(Role role, double lr_factor, const GradScale& scale, const Tensor& norm) const {
  std::vector<OptimizerSlot> slots;
  for (const OptimizerSlot& slot : slots_[static_cast<size_t>(role)])
    if (const Tensor grad = slot.value.grad()) {
      slots.push_back(slot);
      slots.back().grad = grad;
    }
  if (slots.empty()) return;
  const double lr = config_.lr * lr_factor;
  if (uses_muon(config_.kind, role)) return muon_step(slots, config_, lr, scale, norm);
  const double decay = role == Role::vector ? 0 : config_.weight_decay;
  const OptimizerRule rule = rule_of(config_, static_cast<double>(steps_), lr, decay);
  const bool decoupled = config_.kind == OptimizerKind::adamw || config_.kind == OptimizerKind::muon;
  optimizer_kernel(slots.front().value.device(), slots, rule, scale, norm, decoupled ? 0 : decay);
}

std::vector<Parameter> Optimizer::state() const {
  std::vector<Parameter> out;
  for (const Parameter& p : parameters_.all()) {
    const std::vector<std::string> names = state_names(config_.kind, p.role);
    for (const OptimizerSlot& slot : slots_[static_cast<size_t>(p.role)])
      for (size_t s = 0; s < names.size(); ++s)
        if (slot.value.impl() == p.leaf.impl())
          out.push_back({names[s] + p.name, slot.state[s], p.begin, p.end});
  }
  return out;
}

}  // namespace fade
