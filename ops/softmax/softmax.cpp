#include "ops/softmax/softmax.h"

#include "engine/tape.h"
#include "ops/along.h"
#include "ops/check.h"
#include "ops/layout/layout.h"
#include "ops/softmax/softmax_kernels.h"

namespace fade {
namespace {

enum Saved : int { kY };

// The rules of all three operations read the output only.
template <auto& kernel>
void rule_from_output(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  kernel(g.device(), g, ctx.saved(kY), dx);
  ctx.add(0, dx);
}

enum SavedByLogsumexp : int { kLines, kLse };

void logsumexp_rule(BackwardCtx& ctx) {
  const Tensor &g = ctx.grad(), dx = ctx.empty_for(0);
  logsumexp_backward(g.device(), g, ctx.saved(kLines), ctx.saved(kLse), dx);
  ctx.add(0, dx);
}

constexpr OpDef kSoftmax{"softmax", rule_from_output<softmax_backward>};
constexpr OpDef kSoftmaxWhere{"softmax_where", rule_from_output<softmax_backward>};
constexpr OpDef kLogSoftmax{"log_softmax", rule_from_output<log_softmax_backward>};
constexpr OpDef kLogsumexp{"logsumexp", logsumexp_rule};

void check_has_rows(const char* op, const Tensor& x) {
  check_given(op, "the input", x);
  if (x.shape().dims() == 0) fail("{}: the input is a single number, needs a last dimension", op);
}

}  // namespace

Tensor softmax(const Tensor& x) {
  check_has_rows("softmax", x);
  Tensor y = Tensor::empty_like(x);
  softmax_forward(x.device(), x, {}, y);
  record(kSoftmax, y, {&x}, {&y});
  return y;
}

Tensor softmax_where(const Tensor& x, const Tensor& mask) {
  check_dims("softmax_where", "the input", x, 4);
  check_shape("softmax_where", "the mask", mask, {x.size(0), x.size(2), x.size(3)});
  check_same_type("softmax_where", x, mask);
  Tensor y = Tensor::empty_like(x);
  softmax_forward(x.device(), x, mask, y);
  record(kSoftmaxWhere, y, {&x}, {&y});
  return y;
}

Tensor log_softmax(const Tensor& x) {
  check_has_rows("log_softmax", x);
  Tensor y = Tensor::empty_like(x);
  log_softmax_forward(x.device(), x, y);
  record(kLogSoftmax, y, {&x}, {&y});
  return y;
}

// The kernels know rows only: another dimension is first made the last.
Tensor logsumexp(const Tensor& x, int dim, bool keep_dim) {
  const int d = check_dim("logsumexp", x, dim);
  const Along s = along(x.shape(), d);
  if (s.n == 0)
    fail("logsumexp: {} has no elements to reduce over (reduce over another dimension)", x.shape().str());
  const Tensor lines =
      d == x.shape().dims() - 1 ? x : permute(reshape(x, {s.outer, s.n, s.inner}), {0, 2, 1});
  Tensor y = Tensor::empty(reduced(x.shape(), d, keep_dim), x.dtype(), x.device());
  logsumexp_forward(x.device(), lines, y);
  record(kLogsumexp, y, {&lines}, {&lines, &y});
  return y;
}

}  // namespace fade
