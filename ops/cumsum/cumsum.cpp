#include "ops/cumsum/cumsum.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/cumsum/cumsum_kernels.h"

namespace fade {
namespace {

void cumsum_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  cumsum_kernel(g.device(), g, ctx.attrs<Along>(), true, dx);
  ctx.add(0, dx);
}

constexpr OpDef kCumsum{"cumsum", cumsum_rule};

}  // namespace

Tensor cumsum(const Tensor& x, int dim) {
  const Along sizes = along(x.shape(), check_dim("cumsum", x, dim));
  Tensor y = Tensor::empty_like(x);
  cumsum_kernel(x.device(), x, sizes, false, y);
  record(kCumsum, y, {&x}, {}, sizes);
  return y;
}

}  // namespace fade
