// Named parameters: the tensors of a model that are saved, loaded and optimised.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace fade {

/// Whether weight decay acts on a parameter. It does on weight matrices: linear weights and embedding
/// tables. It does not on biases, gains, spans' parameters and ratios, whose size is their meaning: zero is
/// no smaller model.
enum class Decay { no, yes };

/// A named parameter: rows [begin, end) of a leaf tensor. Several parameters may share a leaf (the weights of
/// keys and values do, so that one product projects both).
struct Parameter {
  std::string name;
  Tensor leaf;
  int64_t begin, end;
  Decay decay = Decay::no;

  Tensor value() const { return leaf.rows(begin, end); }
  /// The same rows of the leaf's gradient; no tensor when it has none.
  Tensor grad() const { return leaf.grad() ? leaf.grad().rows(begin, end) : Tensor(); }
};

/// The parameters of a model, in the order in which they were added.
class Parameters {
 public:
  Parameters(DType dtype, Device device) : dtype_(dtype), device_(device) {}

  /// A new leaf of `shape`, all zeros, for its layer to initialise. Throws when the name is taken.
  Tensor add(const std::string& name, const Shape& shape, Decay decay = Decay::no);
  /// One leaf that holds several named parameters of the same shape, stacked along the first dimension.
  Tensor add_stacked(const std::vector<std::string>& names, const Shape& shape, Decay decay = Decay::no);

  const std::vector<Parameter>& all() const { return all_; }
  const std::vector<Tensor>& leaves() const { return leaves_; }
  /// The leaves on which weight decay acts, or those on which it does not.
  std::vector<Tensor> leaves(Decay decay) const;
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
