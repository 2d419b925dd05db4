// The gradient of the loss with respect to the span of one row, term by term, as the tape computes it.
// docs/span_gradient.md derives each term.
//
// Sizes: docs/notation.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/transformer.h"
#include "train/data/bytes.h"

namespace fade {

/// One head of a query that meets the row on its ramp. The query sees rows k with weights a_k before fading;
/// den = Σ_k a_k·m_k + 1e-8 divides them afterwards.
struct HeadTerm {
  double weight = 0;         ///< a of our row
  double faded = 0;          ///< w = a·m/den
  double den = 0;            ///< the same for all rows
  double gradient = 0;       ///< g = ∂loss/∂w
  double mean_gradient = 0;  ///< G = Σ_k g_k·w_k

  double direct() const { return weight * gradient / den; }
  double renormalisation() const { return -weight * mean_gradient / den; }
};

struct QueryTerm {
  int64_t position = 0;  ///< of the query, in the text
  int64_t distance = 0;  ///< δ, from the row to the query
  double remaining = 0;  ///< r = e − δ, from −R to 0
  double mask = 0;       ///< m
  double slope = 0;      ///< dm/de: 1/R
  std::vector<HeadTerm> heads = {};

  /// What the query adds to the derivative by e, summed over its heads.
  double direct() const;
  double renormalisation() const;
  double attention() const { return direct() + renormalisation(); }
};

/// One block of the text: its queries that meet the row on its ramp.
struct BlockTerms {
  int64_t first = 0;   ///< position of its first query
  int64_t length = 0;  ///< n: its queries
  std::vector<QueryTerm> queries = {};
  int64_t fading = 0;  ///< of these, the ones with 0 < m < 1, which the auxiliary loss counts
  double push = 0;     ///< derivative of the auxiliary loss by e, for each of them: span.loss/(R·n)

  double direct() const;
  double renormalisation() const;
  double auxiliary() const { return push * static_cast<double>(fading); }
};

/// The derivative of Σ (loss + aux) over `blocks` with respect to the span e of a row, as used by one layer.
struct SpanGradient {
  int layer = 0;
  double span = 0;         ///< e
  double logit = 0;        ///< z: e = S·sigmoid(z)
  double slope = 0;        ///< de/dz = S·σ(z)·(1 − σ(z))
  double hidden_norm = 0;  ///< |h|/pre_div: h is what the span is predicted from, z = w·h/pre_div + b
  std::vector<BlockTerms> blocks = {};  ///< those in which a query meets the row on its ramp
  bool outlives_text = false;           ///< the text ends before the row's ramp does
  double tape = 0;  ///< the same derivative in one number: the sum of the tape's gradients of e

  double direct() const;
  double renormalisation() const;
  double auxiliary() const;
  double d_span() const { return direct() + renormalisation() + auxiliary(); }
  double d_logit() const { return d_span() * slope; }
  double d_weight_norm() const;  ///< of the derivative by the layer's span.weight, d_logit·h/pre_div
  double d_bias() const { return d_logit(); }
  size_t queries() const;  ///< of all blocks
};

/// Reads `text` as one stream from an empty memory, in blocks of M, in training mode with dropout and noise
/// off. Returns the gradient of the span of the row at position `row`, for each layer. Blocks in which no
/// layer has the row on its ramp are not recorded. Overwrites the gradients of the model's parameters.
///
/// The model must have spans per row, composed attention (whose tensors are on the tape) and type f64. The
/// tape of a block holds two arrays [K, M, L] per layer for backward.
///
/// Throws InputError, naming the text by `name`, when it has fewer than two bytes or no row at `row` (the last
/// byte is predicted, but never read); Error when the loss is not finite.
std::vector<SpanGradient> span_gradients(const Transformer& model, const Bytes& text, const std::string& name,
                                         int64_t row);

}  // namespace fade
