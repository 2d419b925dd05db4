// Chapter 2: an operation, its rule, and the check that finds wrong rules. docs/course/2_operation.md
#include <fmt/format.h>

#include <functional>

#include "engine/rng.h"
#include "engine/tape.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"

using namespace fade;

// The operation: y_j = x_j/s with s = Σ x, over the last dimension. x [.., n] -> y [.., n].
enum Saved : int { kY, kSum };
Tensor shares(const Tensor& x, const OpDef& op) {
  Tensor y, s;
  {
    const NoGrad off;  // one node for the whole operation, not one for each step of it
    s = sum(x, -1, true);
    y = x / s;
  }
  record(op, y, {&x}, {&y, &s});
  return y;
}

// Its rule: dx = (g - Σ g·y)/s. The others are mistakes.
Tensor total(const BackwardCtx& ctx) { return sum(ctx.grad() * ctx.saved(kY), -1, true); }
void right_rule(BackwardCtx& ctx) { ctx.add(0, (ctx.grad() - total(ctx)) / ctx.saved(kSum)); }
void zero_rule(BackwardCtx& ctx) { ctx.add(0, Tensor::zeros(ctx.grad().shape(), DType::f64)); }
void double_rule(BackwardCtx& ctx) { ctx.add(0, 2 * (ctx.grad() - total(ctx)) / ctx.saved(kSum)); }
void sign_rule(BackwardCtx& ctx) { ctx.add(0, (total(ctx) - ctx.grad()) / ctx.saved(kSum)); }
void constant_sum_rule(BackwardCtx& ctx) { ctx.add(0, ctx.grad() / ctx.saved(kSum)); }
constexpr OpDef kRules[] = {{"right", right_rule},
                            {"always zero", zero_rule},
                            {"twice as large", double_rule},
                            {"wrong sign", sign_rule},
                            {"s as a constant", constant_sum_rule}};

using Function = std::function<Tensor(const Tensor&)>;

// d(Σ cotangent·f(x))/dx from the values of f alone: central differences.
Tensor differences(const Function& f, const Tensor& x, const Tensor& cotangent) {
  const NoGrad off;
  const double h = 1e-5;
  std::vector<double> slope;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const auto loss = [&](double shift) {
      const Tensor moved = x.clone();
      moved.mutate<double>()[i] += shift;
      return sum(f(moved) * cotangent).item();
    };
    slope.push_back((loss(h) - loss(-h)) / (2 * h));
  }
  return Tensor::from(slope, x.shape());
}

// The same from the tape.
Tensor gradient(const Function& f, const Tensor& x, const Tensor& cotangent) {
  const Tensor leaf = x.clone().set_requires_grad();
  const Recording on;
  backward(f(leaf), cotangent);
  return leaf.grad();
}

bool agree(const Tensor& a, const Tensor& b) {
  const std::vector<double> p = a.to_vector<double>(), q = b.to_vector<double>();
  for (size_t i = 0; i < p.size(); ++i)
    if (!close(p[i], q[i], 1e-8)) return false;
  return true;
}

int main() {
  const Tensor x = values({3}, {1, 2, 5});
  const auto f = [](const Tensor& t) { return shares(t, kRules[0]); };
  show("x", x);
  show("shares", f(x));
  fmt::print("-- the gradient of share 0, then that of all shares added up\n");
  for (const Tensor& cotangent : {values({3}, {1, 0, 0}), values({3}, {1, 1, 1})}) {
    show("tape", gradient(f, x, cotangent));
    show("differences", differences(f, x, cotangent));
  }

  fmt::print("-- the check of five rules     cotangents 1    random cotangents\n");
  const RngKey key{2, 0};
  std::vector<double> positive, random;
  for (uint64_t i = 0; i < 12; ++i) {
    positive.push_back(0.5 + uniform_f64(key, i));
    random.push_back(2 * uniform_f64(key, 12 + i) - 1);
  }
  const Tensor rows = values({3, 4}, positive);
  for (const OpDef& op : kRules) {
    const auto g = [&](const Tensor& t) { return shares(t, op); };
    const auto verdict = [&](const Tensor& c) {
      return agree(gradient(g, rows, c), differences(g, rows, c)) ? "passes" : "fails";
    };
    fmt::print("{:<30} {:<15} {}\n", op.name, verdict(Tensor::full({3, 4}, 1, DType::f64)),
               verdict(values({3, 4}, random)));
  }
}
