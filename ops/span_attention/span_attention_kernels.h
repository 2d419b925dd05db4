// Kernels of span_attention: their arguments besides tensors, what forward leaves for backward.
#pragma once

#include "engine/kernel.h"
#include "ops/span_attention/span_attention.h"

namespace fade {

/// Words of 32 queries in a block.
FADE_HD inline int64_t query_words(int64_t block) { return (block + 31) / 32; }

/// Number of the decision whether weight (i, h, b, row) is kept, from DropoutDraw::first on. The row is named by its
/// age, so that neither the order of memory nor the tiling matters, nor other streams. Consecutive queries have
/// consecutive numbers, and query 0 a multiple of 32.
FADE_HD inline uint64_t dropout_index(int64_t b, int64_t heads, int64_t h, int64_t block, int32_t age,
                                      int64_t i) {
  const int64_t row = (age + block - 1) * 32 * query_words(block) + i;
  return static_cast<uint64_t>(b * heads + h) << 40 | static_cast<uint64_t>(row);
}

/// Number of the tile that thread block `block` of `blocks` works on in its turn `turn`. There and back: tiles
/// whose numbers differ by `blocks` may all have the same place in their blocks of queries, and see as many
/// rows as each other.
FADE_HD inline int64_t tile_of_turn(int64_t block, int64_t blocks, int64_t turn) {
  return turn * blocks + (turn % 2 ? blocks - 1 - block : block);
}

/// Sizes (docs/notation.md), and the settings of SpanMask and SpanAttentionOptions.
struct SpanAttentionSizes {
  int32_t streams, block, heads, ramp;
  int64_t window, memory_rows;
  MaskKind mask;
  DropoutDraw dropout;
  SlotWindow slots = {};

  /// ε of F6: keeps the denominator of a soft mask from 0.
  double epsilon() const { return mask == MaskKind::window ? 0 : kRenormEps; }

  /// The stream of a context row; start [streams + 1].
  FADE_HD int32_t stream_of(const int32_t* start, int64_t row) const {
    if (row >= memory_rows) return static_cast<int32_t>((row - memory_rows) / block);
    int32_t low = 0, high = streams;  // the last stream that begins at or before the row is in [low, high)
    while (high - low > 1) {
      const int32_t middle = (low + high) / 2;
      (start[middle] <= row ? low : high) = middle;
    }
    return low;
  }

  // Where slots act (span_attention.md, Slots): their ages place them beyond a gap behind the window, so only
  // the distances at which rows are visible (mask_formula) and the position row of a distance differ.

  /// The largest distance that has one of the P position rows.
  FADE_HD int64_t last_position(int64_t positions) const {
    return slots.count ? window + block + int64_t{slots.count} * slots.rate : positions;
  }
  /// The position row of a distance ≥ 1; −1 in the gap, and P or more where there is none.
  FADE_HD int32_t position_row(int32_t distance) const {
    const auto near = static_cast<int32_t>(window);
    const auto past_gap = static_cast<int32_t>(distance - window - block - 1);
    const auto slot = static_cast<uint32_t>(past_gap) / static_cast<uint32_t>(slots.rate);
    const int32_t past_window = past_gap < 0 ? -1 : near + static_cast<int32_t>(slot);
    return !slots.count || distance <= near ? distance - 1 : past_window;
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
    mask.slots = {distance(s.window + s.block + 1), distance(s.last_position(0))};
  }
  return mask;
}

struct SpanAttentionInputs {
  Tensor q, kv, pos, span;  ///< pos and span may be empty tensors
  Tensor start, age;
  Tensor kept;  ///< of span_attention_dropout; an empty tensor without dropout
  SpanAttentionSizes sizes;
};

/// out [B·M, H] and lse [B, K, M] (F6, F7).
struct SpanAttentionResult {
  Tensor out, lse;
};

/// Gradients of the inputs of the same name, of their shapes; an empty tensor where the input is one.
struct SpanAttentionGradients {
  Tensor q, kv, pos, span;
};

/// True iff one of the 32 queries of a word is at a distance at which a row of this age is visible, whatever its
/// span: dropout draws no other words.
FADE_HD inline bool word_in_reach(const MaskFormula<float>& mask, int32_t age, int32_t word) {
  const QueryRange queries = mask.within_reach(age, {32 * word, 32 * word + 31});
  return queries.first <= queries.last;
}

/// Draws which weights dropout keeps: kept [N, K, query_words(M)], i32. Bit i % 32 of word i / 32 of a context
/// row and a head is set iff the weight of query i is kept; words that are not word_in_reach are 0.
inline constinit Kernel<void(const Tensor& start, const Tensor& age, const SpanAttentionSizes&, Out kept)>
    span_attention_dropout{"span_attention"};
/// Writes `result`.
inline constinit Kernel<void(const SpanAttentionInputs&, const SpanAttentionResult& result)>
    span_attention_forward{"span_attention"};
/// Writes `d` from `grad`, the gradient of out.
inline constinit Kernel<void(const SpanAttentionInputs&, const SpanAttentionResult&, const Tensor& grad,
                             const SpanAttentionGradients& d)>
    span_attention_backward{"span_attention"};

}  // namespace fade
