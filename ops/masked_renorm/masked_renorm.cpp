#include "ops/masked_renorm/masked_renorm.h"

#include "engine/tape.h"
#include "ops/check.h"

namespace fade {
namespace {

Tensor gradient_if(bool needed, const Tensor& like) {
  return needed ? Tensor::empty(like.shape(), like.dtype(), like.device()) : Tensor();
}

// d(a·m/den)/da in one line: w_j depends on a_j directly (m_j/den) and on every a through den (−w_j·m/den).
constexpr OpDef kMaskedRenorm{
    "masked_renorm", [](BackwardCtx& ctx) {
      const Tensor a = ctx.saved(0), m = ctx.saved(1);
      const Tensor da = gradient_if(ctx.needs(0), a), dm = gradient_if(ctx.needs(1), m);
      masked_renorm_backward(a.device(), ctx.grad(), a, m, ctx.saved(2), ctx.saved(3), da, dm);
      ctx.add(0, da);
      ctx.add(1, dm);
    }};

}  // namespace

Tensor masked_renorm(const Tensor& a, const Tensor& m) {
  check_dims("masked_renorm", "a", a, 4);
  check_shape("masked_renorm", "m", m, {a.size(0), a.size(2), a.size(3)});
  check_same_type("masked_renorm", a, m);
  Tensor w = Tensor::empty(a.shape(), a.dtype(), a.device());
  Tensor den = Tensor::empty({a.size(0), a.size(1), a.size(2)}, a.dtype(), a.device());
  masked_renorm_forward(a.device(), a, m, w, den);
  record(kMaskedRenorm, w, {&a, &m}, {&a, &m, &w, &den});
  return w;
}

}  // namespace fade
