#include "ops/losses/losses.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "ops/reduce/reduce.h"

namespace fade {
namespace {

void check_pair(const char* op, const Tensor& x, const Tensor& target) {
  check_given(op, "the input", x);
  check_shape(op, "the target", target, x.shape());
  check_same_type(op, x, target);
  if (x.numel() == 0)
    fail("{}: shape {} has no elements for the mean (give it at least one)", op, x.shape().str());
}

// g/N, as a factor of every element: g is a single number.
Tensor share_of_each(BackwardCtx& ctx, int64_t n) { return scale(ctx.grad(), 1 / static_cast<double>(n)); }

enum SavedByMse : int { kDifference };

void mse_rule(BackwardCtx& ctx) {
  const Tensor difference = ctx.saved(kDifference);
  const Tensor dx = mul(difference, scale(share_of_each(ctx, difference.numel()), 2));
  ctx.add(0, dx);
  if (ctx.needs(1)) ctx.add(1, neg(dx));
}

enum SavedByBinary : int { kLogits, kTargets };

void binary_rule(BackwardCtx& ctx) {
  const Tensor x = ctx.saved(kLogits), share = share_of_each(ctx, x.numel());
  if (ctx.needs(0)) ctx.add(0, mul(sub(sigmoid(x), ctx.saved(kTargets)), share));
  if (ctx.needs(1)) ctx.add(1, neg(mul(x, share)));
}

constexpr OpDef kMse{"mse_loss", mse_rule};
constexpr OpDef kBinary{"binary_cross_entropy_with_logits", binary_rule};

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target) {
  check_pair(kMse.name, x, target);
  Tensor difference, loss;
  {
    const Tape::Scope off(nullptr);  // the parts are not recorded
    difference = sub(x, target);
    loss = mean(mul(difference, difference));
  }
  record(kMse, loss, {&x, &target}, {&difference});
  return loss;
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets) {
  check_pair(kBinary.name, logits, targets);
  Tensor loss = Tensor::empty_like(logits);
  {
    const Tape::Scope off(nullptr);
    binary_forward<LogisticLoss>(logits.device(), {}, logits, targets, loss);
    loss = mean(loss);
  }
  record(kBinary, loss, {&logits, &targets}, {&logits, &targets});
  return loss;
}

}  // namespace fade
