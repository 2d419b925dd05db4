#include "ops/masked_renorm/masked_renorm.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/masked_renorm/masked_renorm_kernels.h"

namespace fade {
namespace {

enum Saved : int { kA, kM, kDen };

// masked_renorm.md: da by (2), dm by (3).
void masked_renorm_rule(BackwardCtx& ctx) {
  const Tensor da = ctx.empty_for(0), dm = ctx.empty_for(1);
  masked_renorm_backward(ctx.grad().device(), ctx.grad(), ctx.saved(kA), ctx.saved(kM), ctx.saved(kDen), da,
                         dm);
  ctx.add(0, da);
  ctx.add(1, dm);
}

constexpr OpDef kMaskedRenorm{"masked_renorm", masked_renorm_rule};

}  // namespace

Tensor masked_renorm(const Tensor& a, const Tensor& m) {
  check_dims("masked_renorm", "a", a, 4);
  check_shape("masked_renorm", "m", m, {a.size(0), a.size(2), a.size(3)});
  check_same_type("masked_renorm", a, m);
  Tensor w = Tensor::empty_like(a);
  Tensor den = Tensor::empty({a.size(0), a.size(1), a.size(2)}, a.dtype(), a.device());
  masked_renorm_forward(a.device(), a, m, w, den);
  record(kMaskedRenorm, w, {&a, &m}, {&a, &m, &den});
  return w;
}

}  // namespace fade
