#include "ops/linear_rows/linear_rows.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/matmul/matmul_kernels.h"

namespace fade {
namespace {

// y = op(a)·op(b), of two matrices, into the memory of y.
void product_into(const Tensor& y, const Tensor& a, const Tensor& b, Transpose t) {
  matmul_kernel(y.device(), a, b,
                {.batch = 1,
                 .m = y.size(0),
                 .n = y.size(1),
                 .k = a.size(t.a ? 0 : 1),
                 .stride_a = 0,
                 .stride_b = 0,
                 .stride_y = 0,
                 .transpose = t},
                y);
}

Tensor product(const Tensor& a, const Tensor& b, Transpose t) {
  Tensor y = Tensor::empty({a.size(t.a ? 1 : 0), b.size(t.b ? 0 : 1)}, a.dtype(), a.device());
  product_into(y, a, b, t);
  return y;
}

enum Saved : int { kTop, kBottom, kWeight };

void linear_rows_rule(BackwardCtx& ctx) {
  const Tensor parts[] = {ctx.saved(kTop), ctx.saved(kBottom)}, weight = ctx.saved(kWeight);
  const int64_t split = parts[0].size(0);
  const Tensor g[] = {ctx.grad().rows(0, split), ctx.grad().rows(split, ctx.grad().size(0))};
  for (int i = 0; i < 2; ++i) {
    if (ctx.needs(i)) ctx.add(i, product(g[i], weight, {}));
    if (ctx.needs(2)) ctx.add(2, product(g[i], parts[i], {.a = true}));
  }
}

constexpr OpDef kLinearRows{"linear_rows", linear_rows_rule};

}  // namespace

Tensor linear_rows(const Tensor& top, const Tensor& bottom, const Tensor& weight) {
  check_dims("linear_rows", "top", top, 2);
  check_dims("linear_rows", "weight", weight, 2);
  check_shape("linear_rows", "top", top, {top.size(0), weight.size(1)});
  check_shape("linear_rows", "bottom", bottom, {bottom.size(0), weight.size(1)});
  check_same_type("linear_rows", top, weight);
  check_same_type("linear_rows", bottom, weight);
  const int64_t split = top.size(0), rows = split + bottom.size(0);
  Tensor y = Tensor::empty({rows, weight.size(0)}, top.dtype(), top.device());
  product_into(y.rows(0, split), top, weight, {.b = true});
  product_into(y.rows(split, rows), bottom, weight, {.b = true});
  record(kLinearRows, y, {&top, &bottom, &weight}, {&top, &bottom, &weight});
  return y;
}

}  // namespace fade
