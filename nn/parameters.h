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
enum class Decay {
  no,  ///< left alone
  yes  ///< decays
};

/// A named parameter: rows [begin, end) of a leaf tensor. Several parameters may share a leaf (the weights of
/// keys and values do, so that one product projects both).
struct Parameter {
  std::string name;         ///< "layers.0.attn.query.weight"
  Tensor leaf;              ///< requires a gradient
  int64_t begin;            ///< first row of the leaf that is its own
  int64_t end;              ///< first row after those
  Decay decay = Decay::no;  ///< whether weight decay acts on it

  /// The rows, which share the leaf's memory.
  Tensor value() const { return leaf.rows(begin, end); }
  /// The same rows of the leaf's gradient; no tensor when it has none.
  Tensor grad() const { return leaf.grad() ? leaf.grad().rows(begin, end) : Tensor(); }
};

/// The parameters of a model, in the order in which they were added.
class Parameters {
 public:
  /// None yet; all will be of this type, f32 or f64, on this device.
  explicit Parameters(DType dtype = DType::f32, Device device = Device::cpu)
      : dtype_(dtype), device_(device) {}

  /// A new leaf of `shape`, which has at least one dimension, all zeros, for its layer to initialise. Throws
  /// Error when the name is taken.
  Tensor add(const std::string& name, const Shape& shape, Decay decay = Decay::no);
  /// One leaf that holds several named parameters of the same shape, stacked along the first dimension.
  /// Throws as add does.
  Tensor add_stacked(const std::vector<std::string>& names, const Shape& shape, Decay decay = Decay::no);

  const std::vector<Parameter>& all() const { return all_; }     ///< in the order in which they were added
  const std::vector<Tensor>& leaves() const { return leaves_; }  ///< likewise; each leaf once
  /// The leaves on which weight decay acts, or those on which it does not.
  std::vector<Tensor> leaves(Decay decay) const;
  /// The parameter called `name`. Throws InputError when there is none.
  const Parameter& find(std::string_view name) const;
  int64_t count() const;   ///< of scalars
  void zero_grad() const;  ///< forgets the gradients of all leaves, before a step
  /// Overwrites the values with those of another model's parameters of the same names and shapes,
  /// converted: so a model moves to another device or type. Throws Error when a name is missing on a side,
  /// or a shape differs.
  void copy_from(const Parameters& other) const;

 private:
  DType dtype_;
  Device device_;
  std::vector<Parameter> all_;
  std::vector<Tensor> leaves_;
};

}  // namespace fade
