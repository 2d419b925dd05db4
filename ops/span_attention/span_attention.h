// Attention with spans, fused: scores, position term, soft mask, renormalised softmax, dropout and the
// weighted sum in one operation, tile by tile. Nothing of size queries × rows is ever stored.
//
// Sizes: docs/notation.md. Here every block has M queries.
#pragma once

#include "engine/tensor.h"
#include "ops/dropout/dropout.h"
#include "ops/packed_rows/packed_rows.h"
#include "ops/span_attention/mask.h"

namespace fade {

/// Rows of memory that stand for several consecutive positions each (a compressed memory). A slot's age
/// exceeds the window, and queries see it beyond a gap of one block length behind the window, at
///   window + M < δ ≤ window + M + count·rate        position row: window + (δ − window − M − 1) div rate
/// So each query sees `count` slots, and each slot moves by one position row every `rate` queries. In the
/// gap, and invisible, are slots that become visible later in the block, and rows that have left the window.
struct SlotWindow {
  int32_t count = 0;  ///< slots that a query sees; 0: every row of the context is a position
  int32_t rate = 1;   ///< positions per slot
};

/// Which rows a query sees, and how much of each (mask.h). δ = age + i is the distance from query i;
/// rows at δ < 1 are invisible.
struct SpanMask {
  MaskKind kind;       ///< whose spans there are
  Tensor span;         ///< expiring: e [N]; adaptive: z [K]; window: none
  int32_t ramp = 0;    ///< R
  int64_t window = 0;  ///< rows at δ > window are invisible; 0: no limit
  SlotWindow slots{};  ///< only with a plain window

  /// Softmax over every row within the window, and the slots behind it.
  static SpanMask fixed(int64_t window = 0, SlotWindow slots = {}) {
    return {.kind = MaskKind::window, .span = {}, .window = window, .slots = slots};
  }
  /// Row j fades for all heads when its span e_j is over: m = clamp((e_j − δ)/R + 1, 0, 1). The softmax is
  /// over rows with m > 0.
  static SpanMask expiring(const Tensor& e, int ramp, int64_t window = 0) {
    return {.kind = MaskKind::expiring, .span = e, .ramp = ramp, .window = window};
  }
  /// Head h sees all rows fade at the same distance: m = clamp((z_h − (δ − 1))/R + 1, 0, 1). The softmax is
  /// over the whole window.
  static SpanMask adaptive(const Tensor& z, int ramp, int64_t window) {
    return {.kind = MaskKind::adaptive, .span = z, .ramp = ramp, .window = window};
  }
};

/// Features per head that the kernels have room for.
inline constexpr int64_t kLargestHead = 256;
/// The same in bf16.
inline constexpr int64_t kLargestHeadOfBf16 = 128;

/// Heads, and dropout of the weights.
struct SpanAttentionOptions {
  int64_t heads = 1;         ///< K
  DropoutDraw dropout = {};  ///< of the final weights; `first`: a multiple of decisions_per_stream(K)
};

/// Numbers that a stream has for the decisions about its weights, whatever its rows (dropout_index): those of stream b
/// begin at b times this.
constexpr uint64_t decisions_per_stream(int64_t heads) { return static_cast<uint64_t>(heads) << 40; }

/// Attention of each block query over its stream's rows:
///   s_ij = (q_i·k_j + [1 ≤ δ ≤ P] q_i·pos[δ−1]) / √D      a = softmax of s over the mask's domain
///   out_i = Σ_j w_ij v_j,   w = a·m/(Σ_j a·m + 1e-8) for a soft mask, w = a for a plain window; then dropout
/// A query that sees nothing gives zeros.
///   q [B·M, H]: head h in columns [h·D, (h+1)·D)
///   kv [N, 2H]: keys, then values
///   pos [P, D]: one table for all heads (P = window + count with slots), or an empty tensor for P = 0
///   → out [B·M, H]
/// Gradients to q, kv, pos and the spans; derivation in span_attention.md. Saves its inputs, out, one number
/// per query and head and, with dropout, one bit per row, head and query. Spec sections 2 and 3. D ≤ 256; ages
/// exact in f32, so below 2^24. Either all are f32 or all are f64; or, on CUDA devices, q, kv and out, and the
/// gradients of q and kv, are bf16, and pos, the spans and their gradients f32: then D ≤ 128, products are of
/// bf16 (q, kv, pos, weights and dS are rounded to it), and scores, statistics and sums are f32.
/// Throws on shapes or types that do not fit, R < 2 for a soft mask, and a dropout outside [0, 1) or that begins
/// elsewhere than decisions_per_stream says.
Tensor span_attention(const Tensor& q, const Tensor& kv, const Tensor& pos, const PackedRows& rows,
                      const SpanMask& mask, const SpanAttentionOptions& options);

}  // namespace fade
