// Named parameters: the tensors of a model that are saved, loaded and optimised.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace fade {

/// A named parameter: rows [begin, end) of a leaf tensor. Several parameters may share a leaf (the weights of
/// keys and values do, so that one product projects both).
struct Parameter {
  std::string name;
  Tensor leaf;
  int64_t begin, end;

  Tensor value() const { return leaf.rows(begin, end); }
  /// The same rows of the leaf's gradient; no tensor when it has none.
  Tensor grad() const { return leaf.grad() ? leaf.grad().rows(begin, end) : Tensor(); }
};

/// The parameters of a model, in the order in which they were added.
class Parameters {
 public:
  Parameters(DType dtype, Device device) : dtype_(dtype), device_(device) {}

  /// A new leaf of `shape`, all zeros, for its layer to initialise. Throws when the name is taken.
  Tensor add(const std::string& name, const Shape& shape);
  /// One leaf that holds several named parameters of the same shape, stacked along the first dimension.
  Tensor add_stacked(const std::vector<std::string>& names, const Shape& shape);

  const std::vector<Parameter>& all() const { return all_; }
  const std::vector<Tensor>& leaves() const { return leaves_; }
  /// The parameter called `name`. Throws InputError when there is none.
  const Parameter& find(std::string_view name) const;
  int64_t count() const;  ///< of scalars
  void zero_grad() const;

 private:
  DType dtype_;
  Device device_;
  std::vector<Parameter> all_;
  std::vector<Tensor> leaves_;
};

}  // namespace fade
