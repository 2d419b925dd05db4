// The layers that every model consists of. A layer is a struct of parameters with a call operator, which works
// in a scope of the layer's name (engine/module_scope.h). Names and shapes of parameters are those of PyTorch.
// A model is such a struct too, whose members are layers (nn/README.md shows one).
#pragma once

#include <string>

#include "engine/rng.h"
#include "nn/parameters.h"
#include "ops/linear/linear.h"

namespace fade {

/// y = x·Wᵀ (+ b):  x [..., in], weight [out, in], bias [out] → y [..., out]. Initial values: U(±1/sqrt(in)).
struct Linear {
  std::string name;  ///< of the module, and the beginning of its parameters' names
  Tensor weight;     ///< W: [out, in]
  Tensor bias;       ///< b: [out]; an empty tensor without has_bias
  /// Adds the parameters PATH.weight and, if has_bias, PATH.bias. `role`: of the weight; Role::table where y is
  /// a logit per symbol. Throws Error when a name is taken.
  Linear(Parameters& p, const std::string& path, int64_t in, int64_t out, bool has_bias, Generator& random,
         Role role = Role::matrix);
  /// y, or what `options` makes of it (ops/linear). Throws Error, and names the layer, when the last size of
  /// x is not `in`, and as linear does.
  Tensor operator()(const Tensor& x, const LinearOptions& options = {}) const;
};

/// Several Linear layers without bias in one product, over two matrices stacked vertically (ops/linear_rows):
/// top [N1, in], bottom [N2, in] → y [N1 + N2, names·out], the results of the layers side by side.
struct StackedLinear {
  Tensor weight;  ///< [names·out, in]: the weights of the layers, stacked
  /// Adds a parameter NAME.weight [out, in] for each of `names`. Throws Error when a name is taken.
  StackedLinear(Parameters& p, const std::vector<std::string>& names, int64_t in, int64_t out,
                Generator& random);
  /// y. Throws as linear_rows does.
  Tensor operator()(const Tensor& top, const Tensor& bottom) const;
};

/// Layer normalisation over the last dimension (ops/layer_norm), eps 1e-5. Initial values: weight 1, bias 0.
struct LayerNorm {
  std::string name;  ///< of the module, and the beginning of its parameters' names
  Tensor weight;     ///< the gain: [size]
  Tensor bias;       ///< [size]
  /// Adds the parameters PATH.weight and PATH.bias. Throws Error when a name is taken.
  LayerNorm(Parameters& p, const std::string& path, int64_t size);
  /// x [..., size] → [..., size]. Throws as layer_norm does.
  Tensor operator()(const Tensor& x) const;
  /// Of x + residual, both [..., size], in one pass. Throws as add_layer_norm does.
  Tensor operator()(const Tensor& x, const Tensor& residual) const;
};

/// Root mean square normalisation of heads of `size` numbers, with one gain for all of them (ops/rms_norm), eps 1e-5.
/// Initial values: 1.
struct HeadNorm {
  std::string name;  ///< of the module, and the beginning of its parameter's name
  Tensor weight;     ///< the gain: [size]
  /// Adds the parameter PATH.weight. Throws Error when the name is taken.
  HeadNorm(Parameters& p, const std::string& path, int64_t size);
  /// x [..., C] → [..., C]: the first `heads` heads of each row normalised, the others copied. Throws as head_norm does.
  Tensor operator()(const Tensor& x, int64_t heads) const;
};

/// fc2(dropout(relu(fc1(x)))):  [..., H] → [..., F] → [..., H].
struct FeedForward {
  std::string name;  ///< of the module, and the beginning of its parameters' names
  Linear fc1;        ///< H → F
  Linear fc2;        ///< F → H
  /// Adds the parameters of PATH.fc1 and PATH.fc2. Throws Error when a name is taken.
  FeedForward(Parameters& p, const std::string& path, int64_t hidden, int64_t inner, Generator& random);
  /// x [..., H] → [..., H]. Throws as linear does.
  Tensor operator()(const Tensor& x, const DropoutDraw& drop) const;
};

/// A table of vectors: weight [rows, size], read by row (ops/embedding). Initial values: N(0, 1).
struct Embedding {
  std::string name;  ///< of the module, and the beginning of its parameter's name
  Tensor weight;     ///< [rows, size]
  /// Adds the parameter PATH.weight. Throws Error when the name is taken.
  Embedding(Parameters& p, const std::string& path, int64_t rows, int64_t size, Generator& random);
  /// tokens i32 [...] → their rows [..., size]. Throws as embedding does.
  Tensor operator()(const Tensor& tokens) const;
};

}  // namespace fade
