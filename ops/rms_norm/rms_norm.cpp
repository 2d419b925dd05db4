#include "ops/rms_norm/rms_norm.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/rms_norm/rms_norm_kernels.h"

namespace fade {
namespace {

enum Saved : int { kX, kWeight, kR };

Heads heads_of(const Tensor& x, const Tensor& weight, const Tensor& r) {
  return {r.size(1), weight.numel() > 0 ? x.size(-1) / weight.numel() : 1};
}

void rms_norm_rule(BackwardCtx& ctx) {
  const Tensor &x = ctx.saved(kX), &weight = ctx.saved(kWeight), &r = ctx.saved(kR);
  const Tensor dx = ctx.empty_for(0), dweight = ctx.empty_for(1);
  rms_norm_backward(x.device(), ctx.grad(), x, weight, r, heads_of(x, weight, r), dx, dweight);
  ctx.add(0, dx);
  ctx.add(1, dweight);
}

constexpr OpDef kRmsNorm{"rms_norm", rms_norm_rule};
constexpr OpDef kHeadNorm{"head_norm", rms_norm_rule};

void check_has_rows(const char* op, const Tensor& x) {
  check_given(op, "the input", x);
  if (x.shape().dims() == 0) fail("{}: the input is a single number, needs a last dimension", op);
}

Tensor normalised(const OpDef& op, const Tensor& x, const Tensor& weight, int64_t heads, double eps) {
  check_parameter_type(op.name, "the weight", x, weight);
  Tensor y = Tensor::empty_like(x);
  const Tensor r =
      Tensor::empty({x.shape().numel(0, x.shape().dims() - 1), heads}, weight.dtype(), x.device());
  rms_norm_forward(x.device(), x, weight, heads_of(x, weight, r), eps, y, r);
  record(op, y, {&x, &weight}, {&x, &weight, &r});  // saved in the order of the enum
  return y;
}

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  check_has_rows("rms_norm", x);
  check_shape("rms_norm", "the weight", weight, {x.size(-1)});
  return normalised(kRmsNorm, x, weight, 1, eps);
}

Tensor head_norm(const Tensor& x, const Tensor& weight, int64_t heads, double eps) {
  check_has_rows("head_norm", x);
  check_dims("head_norm", "the weight", weight, 1);
  const int64_t columns = x.size(-1), size = weight.numel();
  if (size == 0 || columns % size != 0)
    fail("head_norm: the input has rows of {} numbers, needs whole heads of the weight's {}", columns, size);
  if (heads < 1 || heads > columns / size)
    fail("head_norm: {} heads are to be normalised, needs 1 to {}, the heads of a row", heads,
         columns / size);
  return normalised(kHeadNorm, x, weight, heads, eps);
}

}  // namespace fade
