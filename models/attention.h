// What the attention of every kind of model has in common: projections, scores, and the order of things. What
// differs - which rows a query sees, how strongly, and which rows stay in memory - is one short file a kind.
//
// Sizes: B streams, n block queries, N context rows (memory, then block), L padded context rows of the
// longest stream,
//        H hidden, K heads, D = H/K, P positions with a learned embedding.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/config.h"
#include "models/memory.h"
#include "models/step.h"
#include "nn/layers.h"
#include "ops/span_attention/span_attention.h"

namespace fade {

class Attention {
 public:
  /// What a layer's attention is given.
  struct Input {
    const Tensor& memory;  ///< [Nm, H]: the context's memory rows, normalised if the model is pre-norm
    const Tensor& block;   ///< [B·n, H]: the block's own rows, likewise
    const PackedRows& rows;
    const Tensor& evicted;    ///< Context::evicted
    const LayerNorm* norm;    ///< what has normalised memory and block; nullptr if nothing has
    const Tensor& positions;  ///< [P, D]
    double noise;             ///< spans are cut at noise·S; 1 is no noise
    const StepOptions& options;
  };
  struct Result {
    Tensor out;         ///< [B·n, H]
    Tensor aux;         ///< [] auxiliary loss of this layer; no tensor when there is none
    Lifetime lifetime;  ///< how long the context's rows can be seen
    Tensor spans;  ///< in positions: [B·n] of each of the block's own rows, or [K] of the heads; no tensor
                   ///< without
  };

  /// Memory as a block sees it.
  struct Context {
    LayerMemory memory;
    Tensor evicted;  ///< compressive: [G, c·H] the groups of rows that became slots in this block
  };

  virtual ~Attention() = default;
  /// What becomes of memory before a block, whose rows are [B·n, H], is read.
  virtual Context context(const LayerMemory& memory, const Tensor& /*block*/) const { return {memory, {}}; }
  /// Spec section 2.
  virtual Result operator()(const Input& in) const = 0;

  /// Puts parameters that have a range back into it, after an update.
  virtual void constrain() const {}

  /// Divides the output projection by `divisor` (pre-norm initialisation).
  void scale_down_output(double divisor) const;

 protected:
  Attention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);

  /// The fused path: scores, mask, softmax, dropout and weighted sum in one operation → [B·n, H].
  Tensor attend(const Input& in, const SpanMask& mask) const;

  /// The composed path, first half: scores of every query and row, and the values to be mixed.
  struct Scored {
    Tensor scores;  ///< [B, K, n, L]:  (q·k + q·pos[δ − 1])/sqrt(D)
    Tensor values;  ///< [B, K, L, D]
  };
  /// `positions` [P', D] has a row a distance, which may be more than in.positions has.
  Scored score(const Input& in, const PaddedRows& padded, const Tensor& positions) const;
  /// [B, n, L]: 1 where row j is at a distance from query i for which `seen` [P'] is 1, else 0.
  Tensor mask_by_distance(const Input& in, const PaddedRows& padded, const Tensor& seen) const;
  /// softmax(q·kᵀ/√D)·v of every block query over its stream's share of `rows` [B·r, H], by content alone:
  /// [B, K, n, D]. No gradient to the projections or the block.
  Tensor content_attention(const Input& in, const Tensor& rows) const;
  /// Second half: out(Σ_j dropout(w_ij)·v_j),  weights [B, K, n, L] → [B·n, H].
  Tensor mix(const Tensor& weights, const Tensor& values, const StepOptions& options) const;

  const ModelConfig& config() const { return config_; }

 private:
  ModelConfig config_;
  Linear query_;
  StackedLinear key_value_;
  Linear out_;
};

/// Rows of the position table that a kind needs (spec section 2).
int64_t position_rows(const ModelConfig& config);

/// The attention of config.kind.
std::unique_ptr<Attention> make_attention(Parameters& p, const std::string& name, const ModelConfig& config,
                                          Generator& random);

}  // namespace fade
