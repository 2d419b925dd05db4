#include "ops/cross_entropy/cross_entropy.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/cross_entropy/cross_entropy_kernels.h"

namespace fade {
namespace {

enum Saved : int { kLogits, kTargets, kLse };

void cross_entropy_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dlogits = ctx.empty_for(0);
  cross_entropy_backward(g.device(), g, ctx.saved(kLogits), ctx.saved(kTargets), ctx.saved(kLse), dlogits);
  ctx.add(0, dlogits);
}

constexpr OpDef kCrossEntropy{"cross_entropy", cross_entropy_rule};

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  check_dims("cross_entropy", "logits", logits, 2);
  check_shape("cross_entropy", "targets", targets, {logits.size(0)});
  check_type("cross_entropy", "targets", targets, DType::i32);
  check_same_device("cross_entropy", logits, targets);
  if (logits.size(0) == 0)
    fail("cross_entropy: logits have shape {}, needs at least one row for the mean", logits.shape().str());
  Tensor lse = Tensor::empty(targets.shape(), logits.dtype(), logits.device());
  Tensor loss = Tensor::empty({}, logits.dtype(), logits.device());
  cross_entropy_forward(logits.device(), logits, targets, lse, loss);
  record(kCrossEntropy, loss, {&logits}, {&logits, &targets, &lse});
  return loss;
}

}  // namespace fade
