// The layers every model is made of. A layer is its parameters and a call; names and shapes are PyTorch's.
#pragma once

#include <string>

#include "engine/rng.h"
#include "nn/parameters.h"

namespace fade {

/// y = x·Wᵀ (+ b):  x [..., in], weight [out, in], bias [out] → y [..., out]. Initialised from
/// U(±1/sqrt(in)).
struct Linear {
  Tensor weight, bias;  ///< bias may be absent
  Linear(Parameters& p, const std::string& name, int64_t in, int64_t out, bool has_bias, Generator& random);
  Tensor operator()(const Tensor& x) const;
};

/// Several bias-free Linear layers in one product, over two matrices one above the other (ops/linear_rows):
/// top [N1, in], bottom [N2, in] → y [N1 + N2, names·out], the layers' results side by side.
struct StackedLinear {
  Tensor weight;  ///< [names·out, in], one layer's weight above the next
  StackedLinear(Parameters& p, const std::vector<std::string>& names, int64_t in, int64_t out,
                Generator& random);
  Tensor operator()(const Tensor& top, const Tensor& bottom) const;
};

/// Layer normalisation over the last dimension (ops/layer_norm), eps 1e-5. Starts as weight 1, bias 0.
struct LayerNorm {
  Tensor weight, bias;
  LayerNorm(Parameters& p, const std::string& name, int64_t size);
  Tensor operator()(const Tensor& x) const;
};

/// fc2(dropout(relu(fc1(x)))):  [..., H] → [..., F] → [..., H].
struct FeedForward {
  Linear fc1, fc2;
  FeedForward(Parameters& p, const std::string& name, int64_t hidden, int64_t inner, Generator& random);
  Tensor operator()(const Tensor& x, double dropout_p, RngKey dropout_key) const;
};

/// A table of vectors, N(0, 1) at first.
struct Table {
  Tensor weight;
  Table(Parameters& p, const std::string& name, int64_t rows, int64_t size, Generator& random);
};

}  // namespace fade
