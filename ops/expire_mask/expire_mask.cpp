#include "ops/expire_mask/expire_mask.h"

#include "engine/tape.h"
#include "ops/expire_mask/expire_mask_kernels.h"
#include "ops/expire_mask/row_spans.h"
#include "ops/reduce/reduce.h"

namespace fade {
namespace {

enum Saved : int { kSpan, kAge };

// Σ_i g·dm/de of each row, [B, G, L].
Tensor dspan_by_row(BackwardCtx& ctx) {
  const Tensor span = ctx.saved(kSpan), age = ctx.saved(kAge);
  const Tensor& g = ctx.grad();
  const auto& mask = ctx.attrs<SoftMask>();
  const int64_t B = age.size(0), L = age.size(1), G = mask.kind == MaskKind::adaptive ? span.size(0) : 1;
  const Tensor dspan = Tensor::empty({B, G, L}, span.dtype(), span.device());
  soft_mask_backward(span.device(), g.view({B, G, g.size(g.shape().dims() - 2), L}), span, age, mask, dspan);
  return dspan;
}

void expire_mask_rule(BackwardCtx& ctx) { ctx.add(0, dspan_by_row(ctx).view(ctx.saved(kSpan).shape())); }

void adaptive_mask_rule(BackwardCtx& ctx) { ctx.add(0, sum(sum(dspan_by_row(ctx), 2), 0)); }

constexpr OpDef kExpireMask{"expire_mask", expire_mask_rule};
constexpr OpDef kAdaptiveMask{"adaptive_mask", adaptive_mask_rule};

}  // namespace

Tensor expire_mask(const Tensor& span, const Tensor& age, int64_t block, int ramp) {
  check_row_spans("expire_mask", span, age, ramp);
  const int64_t B = span.size(0), L = span.size(1);
  const SoftMask mask{.kind = MaskKind::expiring, .ramp = ramp};
  Tensor m = Tensor::empty({B, block, L}, span.dtype(), span.device());
  soft_mask_forward(span.device(), span, age, mask, m.view({B, 1, block, L}));
  record(kExpireMask, m, {&span}, {&span, &age}, mask);
  return m;
}

Tensor adaptive_mask(const Tensor& span, const Tensor& age, int64_t block, int ramp, int64_t window) {
  check_dims("adaptive_mask", "span", span, 1);
  check_dims("adaptive_mask", "age", age, 2);
  check_type("adaptive_mask", "age", age, DType::i32);
  check_ramp("adaptive_mask", ramp);
  const SoftMask mask{.kind = MaskKind::adaptive,
                      .ramp = ramp,
                      .last = static_cast<int32_t>(std::min<int64_t>(window, kFar))};
  Tensor m = Tensor::empty({age.size(0), span.size(0), block, age.size(1)}, span.dtype(), span.device());
  soft_mask_forward(span.device(), span, age, mask, m);
  record(kAdaptiveMask, m, {&span}, {&span, &age}, mask);
  return m;
}

}  // namespace fade
