#include "nn/parameters.h"

#include <algorithm>

namespace fade {

Tensor Parameters::add(const std::string& name, const Shape& shape, Decay decay) {
  return add_stacked({name}, shape, decay);
}

Tensor Parameters::add_stacked(const std::vector<std::string>& names, const Shape& shape, Decay decay) {
  Shape stacked = shape;
  stacked.set(0, shape[0] * static_cast<int64_t>(names.size()));
  Tensor leaf = Tensor::zeros(stacked, dtype_, device_).set_requires_grad();
  leaves_.push_back(leaf);
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::ranges::find(all_, names[i], &Parameter::name) != all_.end())
      fail("parameters: {} was added twice", names[i]);
    const int64_t begin = static_cast<int64_t>(i) * shape[0];
    all_.push_back({names[i], leaf, begin, begin + shape[0], decay});
  }
  return leaf;
}

std::vector<Tensor> Parameters::leaves(Decay decay) const {
  std::vector<Tensor> found;
  for (const Parameter& p : all_)  // the parameters of a leaf are neighbours, and of one kind
    if (p.decay == decay && (found.empty() || found.back().impl() != p.leaf.impl())) found.push_back(p.leaf);
  return found;
}

const Parameter& Parameters::find(std::string_view name) const {
  const auto it = std::ranges::find(all_, name, &Parameter::name);
  if (it == all_.end()) refuse("parameters: the model has none called {}", name);
  return *it;
}

int64_t Parameters::count() const {
  int64_t n = 0;
  for (const Tensor& leaf : leaves_) n += leaf.numel();
  return n;
}

void Parameters::zero_grad() const {
  for (const Tensor& leaf : leaves_) leaf.zero_grad();
}

}  // namespace fade
