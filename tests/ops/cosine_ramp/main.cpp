// Whoever changes the ramp changes it everywhere: the operations with a mask, compiled with the cosine of
// ops/span_attention/ramp.h in this folder instead of the linear ramp. The composed masks must be the cosine,
// and the fused attention must agree with the composed one, gradients included, on every device.
#include <fmt/core.h>

#include <cmath>
#include <numbers>
#include <random>

#include "engine/primitives.h"
#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/layout/layout.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "ops/relative_position/relative_position.h"
#include "ops/softmax/softmax.h"
#include "ops/span_attention/span_attention.h"

namespace fade {
namespace {

constexpr int64_t kMemory = 90, kBlock = 30, kRows = kMemory + kBlock, kHeads = 2, kHeadSize = 4,
                  kHidden = kHeads * kHeadSize;
constexpr int64_t kPositions = 40, kWindow = 60;
constexpr int kRamp = 16;
constexpr double kTolerance = 1e-11;  // f64, sums of about a hundred terms

int failures = 0;
void check(bool ok, const char* what, Device device) {
  if (ok) return;
  ++failures;
  fmt::print(stderr, "{} on {}\n", what, name_of(device));
}

std::mt19937_64 engine(1);
Tensor random(const Shape& shape, double low, double high, Device device) {
  std::vector<double> x(static_cast<size_t>(shape.numel()));
  for (double& v : x) v = std::uniform_real_distribution<>(low, high)(engine);
  Tensor t = Tensor::from(x, shape).to(device);
  t.set_requires_grad();
  return t;
}

struct Inputs {
  Tensor q, kv, pos, span, age;
  MaskKind kind;

  Inputs(MaskKind k, Device device)
      : q(random({kBlock, kHidden}, -1, 1, device)),
        kv(random({kRows, 2 * kHidden}, -1, 1, device)),
        pos(random({kPositions, kHeadSize}, -1, 1, device)),
        span(
            random({k == MaskKind::expiring ? kRows : kHeads}, 0, k == MaskKind::expiring ? 80 : 30, device)),
        kind(k) {
    std::vector<int32_t> ages(kRows);
    for (int64_t j = 0; j < kRows; ++j) ages[static_cast<size_t>(j)] = static_cast<int32_t>(kMemory - j);
    age = Tensor::from(ages, {kRows}).to(device);
  }
};

Tensor fused(const Inputs& in) {
  const PackedRows rows{.start = Tensor::from(std::vector<int32_t>{0, kMemory}, {2}).to(in.q.device()),
                        .age = in.age,
                        .streams = 1,
                        .block = kBlock,
                        .memory_rows = kMemory};
  const SpanMask mask = in.kind == MaskKind::expiring ? SpanMask::expiring(in.span, kRamp)
                                                      : SpanMask::adaptive(in.span, kRamp, kWindow);
  return span_attention(in.q, in.kv, in.pos, rows, mask, {.heads = kHeads});
}

// [rows, K·D] → [1, K, rows, D]
Tensor split_heads(const Tensor& x) {
  return permute(reshape(x, {1, x.size(0), kHeads, kHeadSize}), {0, 2, 1, 3});
}

// 1 where 1 ≤ δ ≤ kWindow, [1, n, N].
Tensor within_window(const Inputs& in) {
  std::vector<double> seen;
  const auto age = in.age.to_vector<int32_t>();
  for (int32_t i = 0; i < kBlock; ++i)
    for (const int32_t a : age) seen.push_back(a + i >= 1 && a + i <= kWindow ? 1 : 0);
  return Tensor::from(seen, {1, kBlock, kRows}).to(in.q.device());
}

Tensor composed(const Inputs& in) {
  const Tensor q = split_heads(in.q), k = split_heads(slice(in.kv, 1, 0, kHidden)),
               v = split_heads(slice(in.kv, 1, kHidden, 2 * kHidden)), age = in.age.view({1, kRows});
  const Tensor by_distance = matmul(q, in.pos, {.b = true});
  const Tensor scores = (matmul(q, k, {.b = true}) + relative_position(by_distance, age)) *
                        (1 / std::sqrt(static_cast<double>(kHeadSize)));
  Tensor w;
  if (in.kind == MaskKind::expiring) {
    const Tensor m = expire_mask(reshape(in.span, {1, kRows}), age, kBlock, kRamp);
    w = masked_renorm(softmax_where(scores, m), m);
  } else {
    const Tensor a = softmax_where(scores, within_window(in)),
                 am = a * adaptive_mask(in.span, age, kBlock, kRamp, kWindow);
    w = am / (sum(am, 3, true) + Tensor::scalar(kRenormEps, DType::f64, am.device()));
  }
  return reshape(permute(matmul(w, v), {0, 2, 1, 3}), {kBlock, kHidden});
}

double difference(const Tensor& a, const Tensor& b) {
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double largest = 0, scale = 1e-3;
  for (size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(x[i] - y[i]));
    scale = std::max(scale, std::abs(y[i]));
    if (std::isnan(x[i] - y[i])) return NAN;
  }
  return largest / scale;
}

void fused_is_composed(MaskKind kind, Device device) {
  const Inputs in(kind, device);
  const Tensor cotangent = random({kBlock, kHidden}, -1, 1, device).detach();
  const auto results = [&](auto attention) {
    std::vector<Tensor> all;
    for (const Tensor* t : {&in.q, &in.kv, &in.pos, &in.span}) t->zero_grad();
    const Recording on;
    all.push_back(attention(in));
    backward(all[0], cotangent);
    for (const Tensor* t : {&in.q, &in.kv, &in.pos, &in.span}) all.push_back(t->grad().clone());
    return all;
  };
  const auto one = results(fused), other = results(composed);
  const char* what[] = {"out", "dq", "dkv", "dpos", "dspan"};
  for (size_t i = 0; i < one.size(); ++i)
    check(difference(one[i], other[i]) < kTolerance,
          fmt::format("{}: fused and composed attention differ in {}",
                      kind == MaskKind::expiring ? "expiring" : "adaptive", what[i])
              .c_str(),
          device);
}

// A row on the ramp at x = 1/4, 1/2, 3/4, and the slope there.
void mask_is_the_cosine(Device device) {
  for (const double x : {0.25, 0.5, 0.75}) {
    const double r = (x - 1) * kRamp, expected = (1 - std::cos(std::numbers::pi * x)) / 2,
                 slope = std::numbers::pi / 2 * std::sin(std::numbers::pi * x) / kRamp;
    const Tensor age = Tensor::from(std::vector<int32_t>{20}, {1, 1}).to(device);
    const auto is_cosine = [&](double span, const Shape& shape, auto mask) {
      Tensor e = Tensor::full(shape, span, DType::f64).to(device);
      e.set_requires_grad();
      const Recording on;
      const Tensor m = mask(e);
      backward(sum(m));
      return std::abs(m.to_vector<double>()[0] - expected) < 1e-14 &&
             std::abs(e.grad().to_vector<double>()[0] - slope) < 1e-14;
    };
    check(is_cosine(20 + r, {1, 1}, [&](const Tensor& e) { return expire_mask(e, age, 1, kRamp); }),
          "expire_mask is not the cosine", device);
    check(is_cosine(19 + r, {1}, [&](const Tensor& z) { return adaptive_mask(z, age, 1, kRamp, kWindow); }),
          "adaptive_mask is not the cosine", device);
  }
}

// The composed attention takes the rows with m > 0 into its softmax, the fused one those with x > 0.
void mask_is_positive_on_the_ramp(Device device) {
  for (const float x : {1e-12F, 1e-6F, 1e-4F}) {
    const Tensor e = Tensor::full({1, 1}, x * kRamp, DType::f32).to(device);
    const Tensor age = Tensor::from(std::vector<int32_t>{kRamp}, {1, 1}).to(device);
    check(expire_mask(e, age, 1, kRamp).to_vector<float>()[0] > 0, "expire_mask is 0 on the ramp", device);
  }
}

}  // namespace
}  // namespace fade

int main() {
  using namespace fade;
  for (const Device device : {Device::cpu, Device::cuda}) {
    if (!has_backend(device)) continue;
    mask_is_the_cosine(device);
    mask_is_positive_on_the_ramp(device);
    fused_is_composed(MaskKind::expiring, device);
    fused_is_composed(MaskKind::adaptive, device);
  }
  return failures == 0 ? 0 : 1;
}
