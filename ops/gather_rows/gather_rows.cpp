#include "ops/gather_rows/gather_rows.h"

#include "ops/check.h"
#include "ops/gather_rows/gather_rows_kernels.h"

namespace fade {
namespace {

enum Saved : int { kIndex };

constexpr OpDef kGatherRows{"gather_rows", scatter_rows};

void check_both(const char* op, const Tensor& top, const Tensor& bottom, const Tensor& index) {
  check_dims(op, "top", top, 2);
  check_dims(op, "bottom", bottom, 2);
  check_shape(op, "bottom", bottom, {bottom.size(0), top.size(1)});
  check_same_type(op, top, bottom);
  check_same_device(op, top, index);
  check_type(op, "the index", index, DType::i32);
}

}  // namespace

Tensor take_rows(const OpDef& op, const char* what, const Tensor& x, const Tensor& index, int32_t lowest) {
  check_type(op.name, "the index", index, DType::i32);
  check_same_device(op.name, x, index);
  Shape shape = index.shape();
  for (int i = 1; i < x.shape().dims(); ++i) shape.append(x.size(i));
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  gather_rows_forward(x.device(), x, {}, index, {.op = op.name, .what = what, .lowest = lowest}, y);
  record(op, y, {&x}, {&index});
  return y;
}

void scatter_rows(BackwardCtx& ctx) {
  if (!ctx.needs(0)) return;
  gather_rows_backward(ctx.grad().device(), ctx.grad(), ctx.saved(kIndex), ctx.accumulate(0));
}

Tensor gather_rows(const Tensor& x, const Tensor& index) {
  check_given("gather_rows", "x", x);
  if (x.shape().dims() != 1 && x.shape().dims() != 2)
    fail("gather_rows: x has shape {}, needs [N, H] or [N]", x.shape().str());
  return take_rows(kGatherRows, "index", x, index, -1);
}

Tensor gather_rows_of(const Tensor& top, const Tensor& bottom, const Tensor& index) {
  constexpr const char* op = "gather_rows_of";
  check_both(op, top, bottom, index);
  Tensor y = Tensor::empty({index.numel(), top.size(1)}, top.dtype(), top.device());
  gather_rows_forward(top.device(), top, bottom, index, {.op = op, .what = "index", .lowest = 0}, y);
  return y;
}

Tensor gather_above(const Tensor& top, const Tensor& index, const Tensor& bottom) {
  constexpr const char* op = "gather_above";
  check_both(op, top, bottom, index);
  const int64_t above = index.numel(), rows = above + bottom.size(0);
  Tensor y = Tensor::empty({rows, top.size(1)}, top.dtype(), top.device());
  gather_rows_forward(top.device(), top, {}, index, {.op = op, .what = "index", .lowest = 0},
                      y.rows(0, above));
  y.rows(above, rows).copy_from(bottom);
  return y;
}

}  // namespace fade
