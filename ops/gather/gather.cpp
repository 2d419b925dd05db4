#include "ops/gather/gather.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/gather/gather_kernels.h"

namespace fade {
namespace {

enum Saved : int { kIndex };

struct Sizes {
  Along x;
  int64_t m;  // of the index along the dimension
};

// The sizes of x and index around dimension `dim`, once they fit each other.
Sizes sizes_of(const char* op, const Tensor& x, int dim, const Tensor& index) {
  const int d = check_dim(op, x, dim);
  check_type(op, "the index", index, DType::i32);
  check_same_device(op, x, index);
  Shape needed = x.shape();
  if (index.shape().dims() == needed.dims()) needed.set(d, index.size(d));
  if (index.shape() != needed)
    fail("{}: x {} and index {} differ in more than dimension {} (slice x, or repeat the index)", op,
         x.shape().str(), index.shape().str(), d);
  return {along(x.shape(), d), index.size(d)};
}

void gather_rule(BackwardCtx& ctx) {
  if (!ctx.needs(0)) return;
  const auto [x, m] = ctx.attrs<Sizes>();
  scatter_add_kernel(ctx.grad().device(), "gather", ctx.grad(), ctx.saved(kIndex), x, m, ctx.accumulate(0));
}

void scatter_add_rule(BackwardCtx& ctx) {
  ctx.add(0, ctx.grad());
  if (!ctx.needs(1)) return;
  const auto [x, m] = ctx.attrs<Sizes>();
  const Tensor dsource = ctx.empty_for(1);
  gather_kernel(dsource.device(), "scatter_add", ctx.grad(), ctx.saved(kIndex), x, m, dsource);
  ctx.add(1, dsource);
}

constexpr OpDef kGather{"gather", gather_rule};
constexpr OpDef kScatterAdd{"scatter_add", scatter_add_rule};

}  // namespace

Tensor gather(const Tensor& x, int dim, const Tensor& index) {
  const Sizes s = sizes_of("gather", x, dim, index);
  Tensor y = Tensor::empty(index.shape(), x.dtype(), x.device());
  gather_kernel(x.device(), "gather", x, index, s.x, s.m, y);
  record(kGather, y, {&x}, {&index}, s);
  return y;
}

Tensor scatter_add(const Tensor& x, int dim, const Tensor& index, const Tensor& source) {
  const Sizes s = sizes_of("scatter_add", x, dim, index);
  check_shape("scatter_add", "the source", source, index.shape());
  check_same_type("scatter_add", x, source);
  Tensor y = x.clone();
  scatter_add_kernel(x.device(), "scatter_add", source, index, s.x, s.m, y);
  record(kScatterAdd, y, {&x, &source}, {&index}, s);
  return y;
}

}  // namespace fade
