#include "ops/linear/linear.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/linear/linear_kernels.h"
#include "ops/matmul/matmul_kernels.h"

namespace fade {
namespace {

struct LinearAttrs {
  double factor;  // of the elements that dropout kept
};
enum Saved : int { kX, kWeight, kY };

// All leading dimensions as one.
Tensor as_rows(const Tensor& x) { return x.view({x.shape().numel(0, x.shape().dims() - 1), x.size(-1)}); }

void linear_rule(BackwardCtx& ctx) {
  const Tensor g = as_rows(ctx.grad()), x = as_rows(ctx.saved(kX)), y = ctx.saved(kY), db = ctx.empty_for(2);
  Tensor dz = g;
  if (y || g.dtype() != x.dtype()) {
    dz = Tensor::empty(g.shape(), x.dtype(), x.device());
    linear_backward(g.device(), g, y ? as_rows(y) : y, ctx.attrs<LinearAttrs>().factor, dz, db);
  } else if (db) {
    linear_backward(g.device(), g, {}, 1, {}, db);
  }
  if (ctx.needs(0)) matmul_into(dz, ctx.saved(kWeight), {}, ctx.into(0));
  if (ctx.needs(1)) matmul_into(dz, x, {.a = true}, ctx.into(1));
  ctx.add(2, db);
}

constexpr OpDef kLinear{"linear", linear_rule};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const LinearOptions& options) {
  check_given("linear", "x", x);
  check_dims("linear", "weight", weight, 2);
  if (x.shape().dims() == 0 || x.size(-1) != weight.size(1))
    fail("linear: x {} with weight {}: the last size of x is not the weight's", x.shape().str(),
         weight.shape().str());
  check_parameter_type("linear", "weight", x, weight);
  if (bias) {
    check_shape("linear", "bias", bias, {weight.size(0)});
    check_parameter_type("linear", "bias", x, bias);
  }
  const DropoutMask mask = dropout_mask("linear", options.dropout);
  const bool drop = options.relu && options.dropout.p > 0;
  const Tensor factors = weight.to(x.dtype());
  Shape shape = x.shape();
  shape.set(-1, weight.size(0));
  Tensor y = Tensor::empty(shape, options.f32_result && x.dtype() == DType::bf16 ? DType::f32 : x.dtype(),
                           x.device());
  linear_forward(x.device(), as_rows(x), factors,
                 {.bias = bias ? bias.to(y.dtype()) : bias, .relu = options.relu, .drop = drop, .mask = mask},
                 as_rows(y));
  const Tensor mask_of_gradient = options.relu ? y : Tensor();
  record(kLinear, y, {&x, &weight, &bias}, {&x, &factors, &mask_of_gradient},
         LinearAttrs{drop ? mask.factor : 1});
  return options.relu ? y : dropout(y, options.dropout);
}

}  // namespace fade
