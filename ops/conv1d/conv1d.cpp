#include "ops/conv1d/conv1d.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/conv1d/conv1d_kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"

namespace fade {
namespace {

// The columns as one matrix per group: a row per window.
Tensor columns_of(const Tensor& x, const Conv1dSizes& s) {
  const Tensor columns =
      Tensor::empty({s.options.groups, s.batch * s.windows, s.channels * s.kernel}, x.dtype(), x.device());
  im2col(x.device(), x, s, columns);
  return columns;
}

// [O, C/groups, K] as a matrix per group: [groups, O/groups, C/groups·K].
Tensor matrices_of(const Tensor& weight, const Conv1dSizes& s) {
  return weight.view({s.options.groups, weight.size(0) / s.options.groups, s.channels * s.kernel});
}

enum Saved : int { kX, kWeight };

void conv1d_rule(BackwardCtx& ctx) {
  const auto s = ctx.attrs<Conv1dSizes>();
  const Tensor &g = ctx.grad(), x = ctx.saved(kX), weight = ctx.saved(kWeight);
  const int64_t groups = s.options.groups, of_group = weight.size(0) / groups;
  if (ctx.needs(2)) ctx.add(2, sum(sum(g, 2), 0));
  if (!ctx.needs(0) && !ctx.needs(1)) return;
  const Tensor rows = permute(g.view({s.batch, groups, of_group, s.windows}), {1, 0, 3, 2})
                          .view({groups, s.batch * s.windows, of_group});
  if (ctx.needs(0)) {
    const Tensor dx = ctx.empty_for(0);
    col2im(dx.device(), matmul(rows, matrices_of(weight, s)), s, dx);
    ctx.add(0, dx);
  }
  if (ctx.needs(1)) ctx.add(1, matmul(rows, columns_of(x, s), {.a = true}).view(weight.shape()));
}

constexpr OpDef kConv1d{"conv1d", conv1d_rule};

Conv1dSizes sizes_of(const Tensor& x, const Tensor& weight, const Conv1dOptions& o) {
  check_dims("conv1d", "x", x, 3);
  check_dims("conv1d", "the weight", weight, 3);
  check_same_type("conv1d", x, weight);
  if (o.stride < 1 || o.padding < 0 || o.dilation < 1 || o.groups < 1)
    fail("conv1d: stride {}, padding {}, dilation {}, groups {}: all are at least 1, padding at least 0",
         o.stride, o.padding, o.dilation, o.groups);
  if (x.size(1) % o.groups != 0 || weight.size(0) % o.groups != 0)
    fail("conv1d: {} input and {} output channels in {} groups (both must be divisible)", x.size(1),
         weight.size(0), o.groups);
  const int64_t channels = x.size(1) / o.groups, kernel = weight.size(2);
  check_shape("conv1d", "the weight", weight, {weight.size(0), channels, kernel});
  if (kernel < 1)
    fail("conv1d: the weight has shape {}: its kernels have no elements (give them at least one)",
         weight.shape().str());
  int64_t span = 0, padded = 0;
  if (__builtin_mul_overflow(o.dilation, kernel - 1, &span) || __builtin_add_overflow(span, 1, &span) ||
      __builtin_mul_overflow(o.padding, 2, &padded) || __builtin_add_overflow(padded, x.size(2), &padded))
    fail("conv1d: padding {}, dilation {}: beyond any memory (is one wrong?)", o.padding, o.dilation);
  if (span > padded)
    fail("conv1d: a kernel of {} elements spans {} positions, x has {} with padding (pad by {} more)", kernel,
         span, padded, (span - padded + 1) / 2);
  return {.batch = x.size(0),
          .channels = channels,
          .length = x.size(2),
          .kernel = kernel,
          .windows = (padded - span) / o.stride + 1,
          .options = o};
}

}  // namespace

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv1dOptions& options) {
  const Conv1dSizes s = sizes_of(x, weight, options);
  const int64_t out = weight.size(0);
  Tensor y;
  {
    const Tape::Scope off(nullptr);                                     // the parts are not recorded
    y = matmul(columns_of(x, s), matrices_of(weight, s), {.b = true});  // [groups, B·T, O/groups]
    y = permute(y.view({options.groups, s.batch, s.windows, out / options.groups}), {1, 0, 3, 2})
            .view({s.batch, out, s.windows});
    if (bias) {
      check_shape("conv1d", "the bias", bias, {out});
      check_same_type("conv1d", x, bias);
      y = y + bias.view({out, 1});
    }
  }
  record(kConv1d, y, {&x, &weight, &bias}, {&x, &weight}, s);
  return y;
}

}  // namespace fade
