#include "ops/linear_rows/linear_rows.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/matmul/matmul_kernels.h"

namespace fade {
namespace {

enum Saved : int { kTop, kBottom, kWeight };

void linear_rows_rule(BackwardCtx& ctx) {
  const Tensor parts[] = {ctx.saved(kTop), ctx.saved(kBottom)}, weight = ctx.saved(kWeight);
  const int64_t split = parts[0].size(0);
  const Tensor g[] = {ctx.grad().rows(0, split), ctx.grad().rows(split, ctx.grad().size(0))};
  for (int i = 0; i < 2; ++i) {
    if (ctx.needs(i)) matmul_into(g[i], weight, {}, ctx.into(i));
    if (ctx.needs(2)) matmul_into(g[i], parts[i], {.a = true}, ctx.into(2));
  }
}

constexpr OpDef kLinearRows{"linear_rows", linear_rows_rule};

}  // namespace

Tensor linear_rows(const Tensor& top, const Tensor& bottom, const Tensor& weight) {
  check_dims("linear_rows", "top", top, 2);
  check_dims("linear_rows", "weight", weight, 2);
  check_dims("linear_rows", "bottom", bottom, 2);
  check_shape("linear_rows", "top", top, {top.size(0), weight.size(1)});
  check_shape("linear_rows", "bottom", bottom, {bottom.size(0), weight.size(1)});
  check_same_type("linear_rows", top, bottom);
  check_parameter_type("linear_rows", "weight", top, weight);
  const int64_t split = top.size(0), rows = split + bottom.size(0);
  Tensor y = Tensor::empty({rows, weight.size(0)}, top.dtype(), top.device());
  const Tensor factors = weight.to(top.dtype());
  matmul_into(top, factors, {.b = true}, y.rows(0, split));
  matmul_into(bottom, factors, {.b = true}, y.rows(split, rows));
  record(kLinearRows, y, {&top, &bottom, &weight}, {&top, &bottom, &factors});
  return y;
}

}  // namespace fade
