#include "ops/gather_rows/gather_rows.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/embedding/embedding.h"
#include "ops/gather_rows/gather_rows_kernels.h"

namespace fade {
namespace {

// The index was checked on the way forward. Rows that nobody took are not touched.
void scatter(BackwardCtx& ctx) {
  if (ctx.needs(0)) gather_rows_backward(ctx.grad().device(), ctx.grad(), ctx.saved(0), ctx.accumulate(0));
}

constexpr OpDef kGatherRows{"gather_rows", scatter};
constexpr OpDef kEmbedding{"embedding", scatter};

Tensor take(const OpDef& op, const Tensor& x, const Tensor& index, int32_t lowest) {
  check_type(op.name, "the index", index, DType::i32);
  check_same_device(op.name, x, index);
  Shape shape = index.shape();
  for (int i = 1; i < x.shape().dims(); ++i) shape.append(x.size(i));
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  gather_rows_forward(x.device(), x, index, {op.name, lowest}, y);
  record(op, y, {&x}, {&index});
  return y;
}

}  // namespace

Tensor gather_rows(const Tensor& x, const Tensor& index) {
  if (x.shape().dims() != 1 && x.shape().dims() != 2)
    fail("gather_rows: x has shape {}, needs [N, H] or [N]", x.shape().str());
  return take(kGatherRows, x, index, -1);
}

Tensor embedding(const Tensor& table, const Tensor& tokens) {
  check_dims("embedding", "the table", table, 2);
  return take(kEmbedding, table, tokens, 0);
}

}  // namespace fade
