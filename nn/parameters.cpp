#include "nn/parameters.h"

#include <algorithm>

namespace fade {
namespace {

// The first names, for an error.
std::string some_names(const std::vector<Parameter>& all) {
  if (all.empty()) return "no parameters: make its layers first";
  std::string text;
  for (size_t i = 0; i < all.size() && i < 4; ++i) text += (i ? ", " : "") + all[i].name;
  return all.size() > 4 ? fmt::format("{}, .. and {} more", text, all.size() - 4) : text;
}

}  // namespace

Tensor Parameters::add(const std::string& name, const Shape& shape, Role role) {
  return add_stacked({name}, shape, role);
}

Tensor Parameters::add_stacked(const std::vector<std::string>& names, const Shape& shape, Role role) {
  if (names.empty()) fail("parameters: a leaf without a name (give it one)");
  if (shape.dims() == 0)
    fail("parameters: {} has no dimension, needs one (a single number has shape {{1}})", names[0]);
  for (size_t i = 0; i < names.size(); ++i)
    if (std::ranges::find(all_, names[i], &Parameter::name) != all_.end() ||
        std::find(names.begin(), names.begin() + static_cast<int64_t>(i), names[i]) !=
            names.begin() + static_cast<int64_t>(i))
      fail("parameters: {} was added twice (give each layer a path of its own)", names[i]);
  Shape stacked = shape;
  stacked.set(0, shape[0] * static_cast<int64_t>(names.size()));
  Tensor leaf = Tensor::zeros(stacked, dtype_, device_).set_requires_grad();
  leaves_.push_back(leaf);
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t begin = static_cast<int64_t>(i) * shape[0];
    all_.push_back({names[i], leaf, begin, begin + shape[0], role});
  }
  return leaf;
}

std::vector<Tensor> Parameters::leaves(Role role) const {
  std::vector<Tensor> found;
  for (const Parameter& p : all_)  // the parameters of a leaf are neighbours, and of one role
    if (p.role == role && (found.empty() || found.back().impl() != p.leaf.impl())) found.push_back(p.leaf);
  return found;
}

const Parameter& Parameters::find(std::string_view name) const {
  const auto it = std::ranges::find(all_, name, &Parameter::name);
  if (it == all_.end())
    refuse("parameters: the model has none called {} (it has {})", name, some_names(all_));
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

void Parameters::copy_from(const Parameters& other) const {
  if (all_.size() != other.all_.size())
    fail("parameters: {} of a model with {} (build both models from the same layers)", other.all_.size(),
         all_.size());
  for (const Parameter& p : all_) {
    const Tensor from = other.find(p.name).value();
    if (from.shape() != p.value().shape())
      fail("parameters: {} is {} in the other model, {} here (build both from the same layers)", p.name,
           from.shape().str(), p.value().shape().str());
  }
  for (const Parameter& p : all_) p.value().copy_from(other.find(p.name).value().to(dtype_));
}

}  // namespace fade
