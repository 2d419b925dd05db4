// Expire-Span attention (Sukhbaatar et al. 2021, "Not All Memories are Created Equal: Learning to Forget by
// Expiring").
//
// Sizes: B streams, n block queries, N context rows (memory, then block), L padded context rows of the
// longest stream,
//        H hidden, K heads, D = H/K, P positions with a learned embedding, S max_span, R ramp.
#pragma once

#include <string>
#include <vector>

#include "models/config.h"
#include "models/memory.h"
#include "models/step.h"
#include "nn/layers.h"

namespace fade {

/// The span of each row: e = S·sigmoid(h·w/pre_div + b), in positions. One a row, shared by the heads of the
/// layer.
struct SpanPredictor {
  Tensor weight, bias;  ///< [1, H], [1]
  double max_span, pre_div;

  SpanPredictor(Parameters& p, const std::string& name, const ModelConfig& config);
  Tensor operator()(const Tensor& h) const;  ///< h [N, H] → e [N]
};

class ExpireSpanAttention {
 public:
  ExpireSpanAttention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);

  struct Result {
    Tensor out;              ///< [B·n, H]
    Tensor aux;              ///< [] auxiliary span loss of this layer; no tensor outside training
    std::vector<bool> keep;  ///< [N]: rows that a later query can still see
    double mean_span;        ///< of the block's own rows, in positions
  };

  /// h [N, H]: the context, normalised if the model is pre-norm. positions [P, D]. `noise` in [0, 1) cuts
  /// spans at noise·S; 1 is no noise. Spec sections 2 and 3.
  Result operator()(const Tensor& h, const ContextRows& rows, const Tensor& positions, double noise,
                    const StepOptions& options) const;

  /// Divides the output projection by `divisor` (pre-norm initialisation).
  void scale_down_output(double divisor);

 private:
  Tensor attend(const Tensor& h, const Tensor& spans, const ContextRows::Padded& padded,
                const ContextRows& rows, const Tensor& positions, const StepOptions& options) const;

  ModelConfig config_;
  Linear query_, out_;
  StackedLinear key_value_;
  SpanPredictor span_;
};

}  // namespace fade
