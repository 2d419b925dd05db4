#include "ops/cross_entropy/cross_entropy.h"

#include "engine/tape.h"
#include "ops/check.h"
#include "ops/cross_entropy/cross_entropy_kernels.h"

namespace fade {
namespace {

constexpr OpDef kCrossEntropy{
    "cross_entropy", [](BackwardCtx& ctx) {
      const Tensor &g = ctx.grad(), logits = ctx.saved(0);
      Tensor dlogits = Tensor::empty(logits.shape(), logits.dtype(), logits.device());
      cross_entropy_backward(g.device(), g, logits, ctx.saved(1), ctx.saved(2), dlogits);
      ctx.add(0, dlogits);
    }};

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  check_dims("cross_entropy", "logits", logits, 2);
  check_shape("cross_entropy", "targets", targets, {logits.size(0)});
  check_type("cross_entropy", "targets", targets, DType::i32);
  check_same_device("cross_entropy", logits, targets);
  if (logits.size(0) == 0)
    fail("cross_entropy: logits of shape {}: the mean over no rows (pass at least one)",
         logits.shape().str());
  Tensor lse = Tensor::empty(targets.shape(), logits.dtype(), logits.device());
  Tensor loss = Tensor::empty({}, logits.dtype(), logits.device());
  cross_entropy_forward(logits.device(), logits, targets, lse, loss);
  record(kCrossEntropy, loss, {&logits}, {&logits, &targets, &lse});
  return loss;
}

}  // namespace fade
