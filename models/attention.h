// The common part of all kinds of attention: the projections, and attention over the rows of a context,
// fused or composed. A kind decides which rows a query sees, how strongly, and how long rows stay in memory;
// each is a subclass in a file of its own, and a row of the table in models/kinds.cpp.
//
// With qk_norm, a head's queries and keys are divided by their root mean square and multiplied by learned gains:
// scores then depend on directions, and cannot grow with the projections' weights (Henry et al. 2020, "Query-Key
// Normalization for Transformers", by the Euclidean norm; Dehghani et al. 2023, "Scaling Vision Transformers to 22
// Billion Parameters", by layer norm). Positions are added to scores as they are: q·k + q·pos with the new q.
//
// Sizes: docs/notation.md. P': rows of a position table that a kind has made for itself.
#pragma once

#include <optional>
#include <string>

#include "models/config.h"
#include "models/memory.h"
#include "models/step.h"
#include "nn/layers.h"
#include "ops/span_attention/span_attention.h"

namespace fade {

/// The attention of one layer.
class Attention {
 public:
  /// A layer's context, and what its forward pass shares.
  struct Input {
    /// [Nm, H]: the memory rows, after norm1 if the model is pre-norm. None where `kept` has all that is needed of them.
    const Tensor& memory;
    const Tensor& block;      ///< [B·n, H]: the block's rows, likewise
    const PackedRows& rows;   ///< whose they are, and their ages
    const ForwardPass& pass;  ///< options, position table, and the noise on spans
    KeptOfRows* kept;         ///< of the memory rows, then of the whole context; null: nothing is kept
  };
  /// What attention gives to its layer.
  struct Result {
    Tensor out;         ///< [B·n, H]
    Tensor aux;         ///< []: auxiliary loss of this layer; no tensor when there is none
    Lifetime lifetime;  ///< how long the context's rows can be seen
    Tensor spans;  ///< in positions: [B·n] of the block's rows, or [K] of the heads; no tensor without spans
  };
  /// The memory that a block is read with.
  struct Prepared {
    LayerMemory memory;  ///< settled, as before, or with other rows
    Tensor aux;          ///< []: auxiliary loss of the preparation; no tensor when there is none
  };

  virtual ~Attention() = default;

  /// Changes a layer's memory before a block is read; most kinds change nothing. `block` [B·n, H]:
  /// the block's rows as they entered the layer. `norm1`: the normalisation of a pre-norm model,
  /// null in post-norm.
  virtual Prepared before_block(const LayerMemory& memory, const Tensor& block, const LayerNorm* norm1,
                                const StepOptions& options) const;
  /// Attends from every block query. Spec section 2.
  virtual Result operator()(const Input& in) const = 0;
  /// After an update: puts parameters that have a range back into it. Most kinds have none.
  virtual void constrain() const {}

  /// Divides the output projection by `divisor` (pre-norm initialisation).
  void scale_down_output(double divisor) const;

 protected:
  /// Adds the parameters NAME.query, .key, .value and .out, each a weight [H, H], to `p`; with qk_norm also
  /// NAME.query_norm and .key_norm, each a weight [D]. Throws Error when a name is taken.
  Attention(Parameters& p, const std::string& name, const ModelConfig& config, Generator& random);

  /// `computed` [.., C] from in.memory and in.block, below what is kept of the memory rows → [N, C], kept from now on.
  static Tensor with_kept(const Input& in, Tensor KeptOfRows::*kept, const Tensor& computed);

  /// Fused attention: projections, scores, mask, softmax, dropout and weighted sum in tiles → [B·n, H].
  /// `positions` [P', D]: a row per distance or slot (pos.weight).
  Tensor attend(const Input& in, const SpanMask& mask, const Tensor& positions) const;
  /// The same with the model's position table.
  Tensor attend(const Input& in, const SpanMask& mask) const { return attend(in, mask, in.pass.positions); }

  // Composed attention: the same in readable operations, over tensors that are padded to the longest stream.

  /// The scores and values of a padded context.
  struct Scored {
    Tensor scores;  ///< [B, K, n, L]: (q·k + q·pos[δ − 1])/sqrt(D), q and k normalised with qk_norm
    Tensor values;  ///< [B, K, L, D]
  };
  /// Scores of every query and row, and the values. `positions` [P', D]: a row per distance (pos.weight).
  Scored attention_scores(const Input& in, const PaddedRows& padded, const Tensor& positions) const;
  /// The same with the model's position table.
  Scored attention_scores(const Input& in, const PaddedRows& padded) const {
    return attention_scores(in, padded, in.pass.positions);
  }
  /// [B, n, L]: 1 where row j is at a distance from query i for which `seen` [P'] is 1, else 0.
  Tensor mask_by_distance(const Input& in, const PaddedRows& padded, const Tensor& seen) const;
  /// out(Σ_j dropout(w_ij)·v_j): weights [B, K, n, L], values [B, K, L, D] → [B·n, H]. Hands the weights
  /// to StepOptions::on_weights first.
  Tensor weighted_values(const Tensor& weights, const Tensor& values, const PaddedRows& padded,
                         const StepOptions& options) const;

  /// x [B, r, K·D] → [B, K, r, D].
  Tensor split_heads(const Tensor& x) const;

  const ModelConfig& config() const { return config_; }  ///< of the model
  const Linear& query() const { return query_; }         ///< [H] → [H]
  /// Its weight has those of the keys in rows [0, H), then those of the values.
  const StackedLinear& key_value() const { return key_value_; }
  const std::optional<HeadNorm>& query_norm() const { return query_norm_; }  ///< there with qk_norm
  const std::optional<HeadNorm>& key_norm() const { return key_norm_; }      ///< likewise

 private:
  /// block [B·n, H] → [B·n, H].
  Tensor queries(const Tensor& block) const;
  /// [N, 2H]: keys beside values of the whole context.
  Tensor keys_and_values(const Input& in) const;

  ModelConfig config_;
  Linear query_;
  StackedLinear key_value_;
  Linear out_;
  std::optional<HeadNorm> query_norm_, key_norm_;
};

}  // namespace fade
