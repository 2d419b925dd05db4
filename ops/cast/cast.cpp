#include "ops/cast/cast.h"

#include "engine/tape.h"
#include "ops/check.h"

namespace fade {
namespace {

void cast_rule(BackwardCtx& ctx) { ctx.add(0, ctx.grad().to(ctx.attrs<DType>())); }

constexpr OpDef kCast{"cast", cast_rule};

void check_float(const char* what, DType t) {
  if (t != DType::f32 && t != DType::f64 && t != DType::bf16)
    fail("cast: {} is {}, needs f32, f64 or bf16 (Tensor::to converts other types, without a gradient)", what,
         name_of(t));
}

}  // namespace

Tensor cast(const Tensor& x, DType t) {
  check_given("cast", "the input", x);
  check_float("the input's type", x.dtype());
  check_float("the wanted type", t);
  Tensor y = x.to(t).view(x.shape());
  record(kCast, y, {&x}, {}, x.dtype());
  return y;
}

}  // namespace fade
