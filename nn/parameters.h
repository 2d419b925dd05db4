// Named parameters: the tensors of a model that are saved, loaded and optimised.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/tensor.h"

namespace fade {

/// What a parameter is, as optimizers treat it.
enum class Role {
  vector,  ///< a bias, a gain, a span's parameter, a ratio: its size is its meaning, so that it never decays
  table,   ///< a row per symbol or position: embeddings, and the weight of the output layer; decays
  matrix  ///< a linear map [out, in, ..] between hidden states; decays, and Muon makes its updates orthogonal
};

/// A named parameter: rows [begin, end) of a leaf tensor. Several parameters may share a leaf (the weights of
/// keys and values do, so that one product projects both).
struct Parameter {
  std::string name;          ///< "layers.0.attn.query.weight"
  Tensor leaf;               ///< requires a gradient
  int64_t begin;             ///< first row of the leaf that is its own
  int64_t end;               ///< first row after those
  Role role = Role::vector;  ///< what it is

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
  Tensor add(const std::string& name, const Shape& shape, Role role = Role::vector);
  /// One leaf that holds several named parameters of the same shape, stacked along the first dimension.
  /// Throws as add does.
  Tensor add_stacked(const std::vector<std::string>& names, const Shape& shape, Role role = Role::vector);

  const std::vector<Parameter>& all() const { return all_; }     ///< in the order in which they were added
  const std::vector<Tensor>& leaves() const { return leaves_; }  ///< likewise; each leaf once
  /// The leaves of one role.
  std::vector<Tensor> leaves(Role role) const;
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
