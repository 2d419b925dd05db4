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
    if (ctx.needs(i)) ctx.add(i, matmul(g[i], weight));
    if (ctx.needs(2)) ctx.add(2, matmul(g[i], parts[i], {.a = true}));
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
  check_same_type("linear_rows", top, weight);
  check_same_type("linear_rows", bottom, weight);
  const int64_t split = top.size(0), rows = split + bottom.size(0);
  Tensor y = Tensor::empty({rows, weight.size(0)}, top.dtype(), top.device());
  const auto product = [&](const Tensor& x, const Tensor& part) {
    const MatmulSizes sizes{
        .batch = 1, .m = x.size(0), .n = weight.size(0), .k = weight.size(1), .transpose = {.b = true}};
    matmul_kernel(x.device(), x, weight, sizes, part);
  };
  product(top, y.rows(0, split));
  product(bottom, y.rows(split, rows));
  record(kLinearRows, y, {&top, &bottom, &weight}, {&top, &bottom, &weight});
  return y;
}

}  // namespace fade
