#include "ops/span_attention/span_attention.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade {
namespace {

constexpr const char* kName = "span_attention";

/// Of pos and spans: with bf16 activations they stay f32.
DType parameter_type(const Tensor& q) { return q.dtype() == DType::bf16 ? DType::f32 : q.dtype(); }

void check_parameter(const char* what, const Tensor& q, const Tensor& x) {
  check_type(kName, what, x, parameter_type(q));
  check_same_device(kName, q, x);
}

void check_mask(const SpanMask& mask, int64_t rows, int64_t heads, const Tensor& q) {
  if (mask.window < 0) fail("span_attention: window {} is negative (0 is no limit)", mask.window);
  const SlotWindow& slots = mask.slots;
  if (slots.count < 0 || slots.rate < 1)
    fail("span_attention: {} slots of {} positions (needs 0 or more of at least 1)", slots.count, slots.rate);
  if (slots.count && (mask.kind != MaskKind::window || mask.window == 0))
    fail("span_attention: slots need a plain window of at least 1 in front of them");
  if (mask.kind == MaskKind::window) return;
  if (mask.ramp < 2) fail("span_attention: ramp {} is too short to learn on (use at least 2)", mask.ramp);
  check_parameter("span", q, mask.span);
  check_shape(kName, "span", mask.span, {mask.kind == MaskKind::expiring ? rows : heads});
}

void check_rows(const Tensor& q, const PackedRows& rows, int64_t count) {
  check_type(kName, "start", rows.start, DType::i32);
  check_type(kName, "age", rows.age, DType::i32);
  check_shape(kName, "start", rows.start, {rows.streams + 1});
  check_shape(kName, "age", rows.age, {count});
  check_same_device(kName, q, rows.start);
  check_same_device(kName, q, rows.age);
}

void check(const Tensor& q, const Tensor& kv, const Tensor& pos, const PackedRows& rows, const SpanMask& mask,
           const SpanAttentionOptions& options) {
  check_dims(kName, "q", q, 2);
  check_same_type(kName, q, kv);
  const int64_t hidden = q.size(1), count = rows.count();
  if (options.heads < 1 || hidden % options.heads != 0 || hidden == 0)
    fail("span_attention: {} columns of q cannot be divided among {} heads (make hidden a multiple of heads)",
         hidden, options.heads);
  const int64_t head_size = hidden / options.heads,
                largest = q.dtype() == DType::bf16 ? kLargestHeadOfBf16 : kLargestHead;
  if (head_size > largest)
    fail("span_attention: {} features per head of {}, at most {} (use more heads)", head_size,
         name_of(q.dtype()), largest);
  check_shape(kName, "q", q, {rows.streams * rows.block, hidden});
  check_shape(kName, "kv", kv, {count, 2 * hidden});
  if (pos) {
    check_parameter("pos", q, pos);
    check_dims(kName, "pos", pos, 2);
    check_shape(kName, "pos", pos,
                {mask.slots.count ? mask.window + mask.slots.count : pos.size(0), head_size});
  }
  check_rows(q, rows, count);
  check_mask(mask, count, options.heads, q);
  const DropoutDraw& drop = options.dropout;
  if (!(drop.p >= 0 && drop.p < 1)) fail("span_attention: dropout {} is not a probability below 1", drop.p);
  if (const uint64_t of_stream = decisions_per_stream(options.heads); drop.first % of_stream != 0)
    fail("span_attention: dropout begins at decision {}, needs a multiple of {}", drop.first, of_stream);
}

enum Saved : int { kQ, kKv, kPos, kSpan, kStart, kAge, kKept, kOut, kLse };

// B1 to B11.
void span_attention_rule(BackwardCtx& ctx) {
  const SpanAttentionInputs in{.q = ctx.saved(kQ),
                               .kv = ctx.saved(kKv),
                               .pos = ctx.saved(kPos),
                               .span = ctx.saved(kSpan),
                               .start = ctx.saved(kStart),
                               .age = ctx.saved(kAge),
                               .kept = ctx.saved(kKept),
                               .sizes = ctx.attrs<SpanAttentionSizes>()};
  // The kernels write every gradient, needed or not.
  const SpanAttentionGradients d{.q = Tensor::empty_like(in.q),
                                 .kv = Tensor::empty_like(in.kv),
                                 .pos = Tensor::empty_like(in.pos),
                                 .span = Tensor::empty_like(in.span)};
  span_attention_backward(in.q.device(), in, {.out = ctx.saved(kOut), .lse = ctx.saved(kLse)}, ctx.grad(), d);
  ctx.add(0, d.q);
  ctx.add(1, d.kv);
  if (d.pos) ctx.add(2, d.pos);
  if (d.span) ctx.add(3, d.span);
}

constexpr OpDef kSpanAttention{kName, span_attention_rule};

}  // namespace

Tensor span_attention(const Tensor& q, const Tensor& kv, const Tensor& pos, const PackedRows& rows,
                      const SpanMask& mask, const SpanAttentionOptions& options) {
  check(q, kv, pos, rows, mask, options);
  const SpanAttentionSizes sizes{.streams = static_cast<int32_t>(rows.streams),
                                 .block = static_cast<int32_t>(rows.block),
                                 .heads = static_cast<int32_t>(options.heads),
                                 .ramp = mask.ramp,
                                 .window = mask.window,
                                 .memory_rows = rows.memory_rows,
                                 .mask = mask.kind,
                                 .dropout = options.dropout,
                                 .slots = mask.slots};
  const SpanAttentionResult result{
      .out = Tensor::empty_like(q),
      .lse = Tensor::empty({rows.streams, options.heads, rows.block}, parameter_type(q), q.device())};
  Tensor kept;
  if (options.dropout.p > 0) {
    kept = Tensor::empty({rows.count(), options.heads, query_words(rows.block)}, DType::i32, q.device());
    span_attention_dropout(q.device(), rows.start, rows.age, sizes, kept);
  }
  span_attention_forward(q.device(),
                         {.q = q,
                          .kv = kv,
                          .pos = pos,
                          .span = mask.span,
                          .start = rows.start,
                          .age = rows.age,
                          .kept = kept,
                          .sizes = sizes},
                         result);
  Tensor out = result.out;
  record(kSpanAttention, out, {&q, &kv, &pos, &mask.span},
         {&q, &kv, &pos, &mask.span, &rows.start, &rows.age, &kept, &result.out, &result.lse}, sizes);
  return out;
}

}  // namespace fade
