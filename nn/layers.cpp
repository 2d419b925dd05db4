#include "nn/layers.h"

#include <cmath>

#include "engine/module_scope.h"
#include "nn/init.h"
#include "ops/embedding/embedding.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/linear_rows/linear_rows.h"
#include "ops/rms_norm/rms_norm.h"

namespace fade {

Linear::Linear(Parameters& p, const std::string& path, int64_t in, int64_t out, bool has_bias,
               Generator& random, Role role)
    : name(path), weight(p.add(path + ".weight", {out, in}, role)) {
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  init_uniform(weight, bound, random.next());
  if (has_bias) {
    bias = p.add(path + ".bias", {out});
    init_uniform(bias, bound, random.next());
  }
}

Tensor Linear::operator()(const Tensor& x, const LinearOptions& options) const {
  const ModuleScope scope(name);
  if (x && (x.shape().dims() == 0 || x.size(-1) != weight.size(1)))
    fail("{}: the input has shape {}, the layer needs [.., {}] (Linear {} -> {})", name, x.shape().str(),
         weight.size(1), weight.size(1), weight.size(0));
  return linear(x, weight, bias, options);
}

StackedLinear::StackedLinear(Parameters& p, const std::vector<std::string>& names, int64_t in, int64_t out,
                             Generator& random) {
  std::vector<std::string> weights;
  for (const std::string& name : names) weights.push_back(name + ".weight");
  weight = p.add_stacked(weights, {out, in}, Role::matrix);
  init_uniform(weight, 1 / std::sqrt(static_cast<double>(in)), random.next());
}

Tensor StackedLinear::operator()(const Tensor& top, const Tensor& bottom) const {
  return linear_rows(top, bottom, weight);
}

LayerNorm::LayerNorm(Parameters& p, const std::string& path, int64_t size)
    : name(path), weight(p.add(path + ".weight", {size})), bias(p.add(path + ".bias", {size})) {
  init_constant(weight, 1);
}

Tensor LayerNorm::operator()(const Tensor& x) const {
  const ModuleScope scope(name);
  return layer_norm(x, weight, bias);
}

Tensor LayerNorm::operator()(const Tensor& x, const Tensor& residual) const {
  const ModuleScope scope(name);
  return add_layer_norm(x, residual, weight, bias);
}

HeadNorm::HeadNorm(Parameters& p, const std::string& path, int64_t size)
    : name(path), weight(p.add(path + ".weight", {size})) {
  init_constant(weight, 1);
}

Tensor HeadNorm::operator()(const Tensor& x, int64_t heads) const {
  const ModuleScope scope(name);
  return head_norm(x, weight, heads);
}

FeedForward::FeedForward(Parameters& p, const std::string& path, int64_t hidden, int64_t inner,
                         Generator& random)
    : name(path),
      fc1(p, path + ".fc1", hidden, inner, true, random),
      fc2(p, path + ".fc2", inner, hidden, true, random) {}

Tensor FeedForward::operator()(const Tensor& x, const DropoutDraw& drop) const {
  const ModuleScope scope(name);
  return fc2(fc1(x, {.relu = true, .dropout = drop}));
}

Embedding::Embedding(Parameters& p, const std::string& path, int64_t rows, int64_t size, Generator& random)
    : name(path), weight(p.add(path + ".weight", {rows, size}, Role::table)) {
  init_normal(weight, random.next());
}

Tensor Embedding::operator()(const Tensor& tokens) const {
  const ModuleScope scope(name);
  return embedding(weight, tokens);
}

}  // namespace fade
