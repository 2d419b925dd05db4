// Attention with spans, fused: scores, position term, soft mask, renormalised softmax, dropout and the
// weighted sum in one operation, tile by tile. Nothing of size queries × rows is ever stored.
//
// Sizes: B streams, M block queries, N context rows (memory, then block), K heads, D features a head,
//        H = K·D hidden, P positions with an embedding, R ramp.
#pragma once

#include "engine/kernel.h"
#include "engine/rng.h"
#include "engine/tensor.h"
#include "ops/packed_rows/packed_rows.h"
#include "ops/span_attention/mask.h"

namespace fade {

/// Rows of memory that stand for several consecutive positions each (a compressed memory). A slot's age
/// exceeds the window, and it is seen past a gap of the block's length behind it, at
///   window + M < δ ≤ window + M + count·rate        its position row: window + (δ − window − M − 1) div rate
/// so that `count` slots are in view, and each moves on by a position row every `rate` queries. A slot that
/// comes into view only later in the block is still in the gap, and so is a row that has left the window.
struct SlotWindow {
  int32_t count = 0;  ///< slots in view; 0: every row of the context is a position
  int32_t rate = 1;   ///< positions a slot stands for
};

/// Which rows a query sees, and how faded. δ = age + i is the distance from query i; rows at δ < 1 are never
/// seen.
struct SpanMask {
  using Kind = MaskKind;

  Kind kind;
  Tensor span;         ///< expiring: e [N]; adaptive: z [K]; window: none
  int32_t ramp = 0;    ///< R
  int64_t window = 0;  ///< rows at δ > window are not seen; 0: no limit
  SlotWindow slots{};  ///< only with a plain window

  /// Every row within the window, and slots behind it, softmax.
  static SpanMask fixed(int64_t window = 0, SlotWindow slots = {}) {
    return {Kind::window, {}, 0, window, slots};
  }
  /// Row j fades for all heads when its span e_j is over: m = clamp((e_j − δ)/R + 1, 0, 1). The softmax is
  /// over rows with m > 0.
  static SpanMask expiring(const Tensor& e, int ramp, int64_t window = 0) {
    return {Kind::expiring, e, ramp, window, {}};
  }
  /// Head h sees all rows fade at the same distance: m = clamp((z_h − (δ − 1))/R + 1, 0, 1). The softmax is
  /// over the whole window.
  static SpanMask adaptive(const Tensor& z, int ramp, int64_t window) {
    return {Kind::adaptive, z, ramp, window, {}};
  }
};

struct SpanAttentionOptions {
  int64_t heads = 1;   ///< K
  double dropout = 0;  ///< probability that a final weight is dropped; others are divided by 1 − dropout
  RngKey key = {};     ///< of the dropout mask; see dropout_index
};

/// Attention of each block query over its stream's rows:
///   s_ij = (q_i·k_j + [1 ≤ δ ≤ P] q_i·pos[δ−1]) / √D      a = softmax of s over the mask's domain
///   out_i = Σ_j w_ij v_j,   w = a·m/(Σ_j a·m + 1e-8) for a soft mask, w = a for a plain window; then
///   dropout.
/// A query that sees nothing gives zeros.
///   q [B·M, H], head h in columns [h·D, (h+1)·D);  kv [N, 2H]: keys, then values;  pos [P, D], one table for
///   all heads (with slots, P = window + count), or no tensor for P = 0 → out [B·M, H]
/// Gradients to q, kv, pos and the spans; derivation in span_attention.md. Saves its inputs, out, and one
/// number a query and head. Spec sections 2 and 3. f32 or f64; D ≤ 256; ages exact in f32, so below 2^24.
/// Throws on shapes or types that do not fit, R < 2 for a soft mask, a dropout outside [0, 1).
Tensor span_attention(const Tensor& q, const Tensor& kv, const Tensor& pos, const PackedRows& rows,
                      const SpanMask& mask, const SpanAttentionOptions& options);

/// The number of the stream `key` that decides about the weight of query i, head h and stream b for the row
/// of this age: dropped iff uniform(key, index) < dropout. It names the row by its age, so that neither the
/// order of memory nor the tiling matters, and gives consecutive numbers to consecutive queries.
FADE_HD inline uint64_t dropout_index(int64_t b, int64_t heads, int64_t h, int64_t block, int32_t age,
                                      int64_t i) {
  const int64_t row = (age + block - 1) * ((block + 3) / 4 * 4) + i;
  return static_cast<uint64_t>(b * heads + h) << 40 | static_cast<uint64_t>(row);
}

/// What a kernel needs besides tensors.
struct SpanAttentionSizes {
  int32_t streams, block, heads, ramp;
  int64_t window, memory_rows;
  SpanMask::Kind mask;
  double dropout;
  RngKey key;
  SlotWindow slots = {};

  /// Distances up to which rows have one of the P position rows.
  FADE_HD int64_t reach(int64_t positions) const {
    return slots.count ? window + block + int64_t{slots.count} * slots.rate : positions;
  }
  /// The position row of a distance ≥ 1; −1 in the gap, and P or more where there is none.
  FADE_HD int64_t position_row(int64_t distance) const {
    if (!slots.count || distance <= window) return distance - 1;
    const int64_t past_gap = distance - window - block - 1;
    return past_gap < 0 ? -1 : window + past_gap / slots.rate;
  }
  /// The distances that have position row p.
  FADE_HD Distances distances_of(int64_t p) const {
    const bool slot = slots.count && p >= window;
    const int64_t first = slot ? window + block + 1 + (p - window) * slots.rate : p + 1;
    return {static_cast<int32_t>(first), static_cast<int32_t>(first + (slot ? slots.rate : 1) - 1)};
  }
};

/// The mask of `spans`, those of the rows or heads (nullptr for a plain window).
template <class T>
MaskFormula<T> mask_formula(const SpanAttentionSizes& s, const T* spans) {
  const auto distance = [](int64_t d) { return static_cast<int32_t>(std::min<int64_t>(d, kFar)); };
  MaskFormula<T> mask(s.mask, spans, s.ramp);
  if (s.window) mask.rows.last = distance(s.window);
  if (s.slots.count) {
    mask.slot_age = distance(s.window);
    mask.slots = {distance(s.window + s.block + 1), distance(s.reach(0))};
  }
  return mask;
}

struct SpanAttentionInputs {
  Tensor q, kv, pos, span;  ///< pos and span may be no tensor
  Tensor start, age;
  SpanAttentionSizes sizes;
};

/// What forward leaves for backward: out [B·M, H], and log_sum [B, K, M], the logarithm of each query's
/// denominator (0 for a query that sees nothing).
struct SpanAttentionResult {
  Tensor out, log_sum;
};

/// Gradients of the inputs of the same name, of their shapes; pos and span are no tensor if the inputs are.
struct SpanAttentionGradients {
  Tensor q, kv, pos, span;
};

inline constinit Kernel<void(const SpanAttentionInputs&, const SpanAttentionResult&)> span_attention_forward{
    "span_attention"};
inline constinit Kernel<void(const SpanAttentionInputs&, const SpanAttentionResult&, const Tensor& grad,
                             const SpanAttentionGradients&)>
    span_attention_backward{"span_attention"};

}  // namespace fade
