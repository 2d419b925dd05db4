#include "engine/finite.h"

#include <cmath>

namespace fade {

std::string not_finite(const Tensor& t) {
  if (t.dtype() == DType::i32 || t.dtype() == DType::u8) return "";
  const Tensor copy = t.to(Device::cpu), host = t.dtype() == DType::bf16 ? copy.to(DType::f32) : copy;
  return dispatch_float(host.dtype(), "not_finite", [&]<class T>() -> std::string {
    const T* x = host.data<T>();
    int64_t count = 0, first = 0;
    for (int64_t i = host.numel(); i-- > 0;)
      if (!std::isfinite(x[i])) {
        ++count;
        first = i;
      }
    return count == 0 ? ""
                      : fmt::format("{} at element {}; {} of {} elements are not finite", x[first], first,
                                    count, host.numel());
  });
}

void FiniteCheck::on_output(const OpDef& op, size_t node, const Tensor& out,
                            std::initializer_list<const Tensor*> inputs) {
  if (!finding_.empty()) return;
  leaf_before_.resize(node + 1, node && node <= leaf_before_.size() ? leaf_before_[node - 1] : "");
  for (const Tensor* t : inputs)
    if (*t && t->requires_grad() && name_of_)
      if (std::string name = name_of_(*t); !name.empty()) leaf_before_[node] = std::move(name);
  const std::string what = not_finite(out);
  if (what.empty()) return;
  const std::string input = input_at_fault(inputs);
  finding_ = input.empty() ? fmt::format("{} {} {}: {}", op.name, out.shape().str(), place(node), what)
                           : fmt::format("{} of {} {}", input, op.name, place(node));
}

void FiniteCheck::on_gradient(const OpDef& op, size_t node, int input, const Tensor& gradient) {
  if (!finding_.empty()) return;
  if (const std::string what = not_finite(gradient); !what.empty())
    finding_ = fmt::format("gradient {} of input {} of {} {}: {}", gradient.shape().str(), input, op.name,
                           place(node), what);
}

std::string FiniteCheck::place(size_t node) const {
  const std::string leaf = node < leaf_before_.size() ? leaf_before_[node] : "";
  return leaf.empty() ? fmt::format("(node {} of the tape)", node)
                      : fmt::format("(node {} of the tape, at or after {})", node, leaf);
}

// All results so far were finite, so an input that is not came from outside.
std::string FiniteCheck::input_at_fault(std::initializer_list<const Tensor*> inputs) const {
  int i = 0;
  for (const Tensor* t : inputs) {
    if (const std::string what = *t ? not_finite(*t) : ""; !what.empty()) {
      const std::string name = name_of_ ? name_of_(*t) : "";
      return fmt::format("{} {}: {}: as input {}", name.empty() ? "a constant" : name, t->shape().str(), what,
                         i);
    }
    ++i;
  }
  return "";
}

}  // namespace fade
