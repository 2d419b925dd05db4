// Which rows are visible and which are on the ramp is decided exactly: spans within rounding of a whole
// number, in f32 and f64, composed and fused, on every device.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/tape.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/layout/layout.h"
#include "ops/reduce/reduce.h"
#include "ops/span_attention/span_attention.h"
#include "ops/span_loss/span_loss.h"
#include "ops/survivors/survivors.h"
#include "tests/ops/op_checks.h"

namespace fade {
namespace {

constexpr int kRamp = 4;
constexpr int32_t kDistances = 10;

// Whole numbers, and their nearest neighbours in f32 on both sides.
std::vector<double> spans_near_whole_numbers() {
  std::vector<double> spans{1e-30, 1e-9, -1e-9};
  for (const float whole : {0.f, 1.f, 4.f, 5.f, 8.f}) {
    spans.push_back(whole);
    if (whole == 0) continue;
    spans.push_back(std::nextafter(whole, 100.f));
    spans.push_back(std::nextafter(whole, -100.f));
  }
  return spans;
}

// One span and one distance.
struct Decision {
  double value, gradient;  ///< of what is tested: not 0 iff the row is visible, and iff it is on the ramp
};

template <class F>
Decision decide(double span, const Shape& shape, DType dtype, Device device, const F& f) {
  Tensor e = Tensor::full(shape, span, dtype).to(device);
  e.set_requires_grad();
  const Recording on;
  const Tensor y = f(e);
  backward(sum(y));
  return {y.to(DType::f64).to_vector<double>()[0], e.grad().to(DType::f64).to_vector<double>()[0]};
}

Tensor ages(const std::vector<int32_t>& age, Device device) {
  const auto rows = static_cast<int64_t>(age.size());
  return Tensor::from(age, {rows}).to(device);
}

// Attention of one query over a row at `distance`, of value 1, and unless `alone` over one that lasts, of
// value −1 (it keeps the first row's weight below 1, where its gradient would vanish).
Decision fused(MaskKind kind, double span, int32_t distance, bool alone, DType dtype, Device device) {
  const int64_t memory = alone ? 1 : 2;
  const bool expiring = kind == MaskKind::expiring;
  // A span per row: the second row's is long. A span per head: the second row is the nearest.
  std::vector<int32_t> age{distance};
  if (!alone) age.push_back(1);
  age.push_back(0);  // the query's own row, which it does not see
  const PackedRows rows{Tensor::from(std::vector<int32_t>{0, static_cast<int32_t>(memory)}, {2}).to(device),
                        ages(age, device), 1, 1, memory};
  std::vector<double> kv(static_cast<size_t>(2 * (memory + 1)));
  kv[1] = 1;
  if (!alone) kv[3] = -1;
  const auto tensor = [&](const std::vector<double>& x, const Shape& shape) {
    return Tensor::from(x, shape).to(dtype).to(device);
  };
  return decide(span, {1}, dtype, device, [&](const Tensor& e) {
    const Tensor spans =
        expiring ? concat(e, tensor(std::vector<double>(static_cast<size_t>(memory), 100), {memory}), 0) : e;
    const SpanMask mask =
        expiring ? SpanMask::expiring(spans, kRamp) : SpanMask::adaptive(spans, kRamp, kDistances);
    return span_attention(tensor({0}, {1, 1}), tensor(kv, {memory + 1, 2}), Tensor(), rows, mask, {});
  });
}

template <class F>
void for_all(const F& f) {
  for (const Device device : test::available_devices())
    for (const DType dtype : {DType::f32, DType::f64})
      for (const double span : spans_near_whole_numbers())
        for (int32_t distance = 1; distance < kDistances; ++distance) {
          BOOST_TEST_CONTEXT("span " << span << ", distance " << distance << ", " << name_of(dtype) << " on "
                                     << name_of(device)) {
            f(span, distance, dtype, device);
          }
        }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exact_mask)

BOOST_AUTO_TEST_CASE(expire_mask_decides_exactly) {
  for_all([](double e, int32_t distance, DType dtype, Device device) {
    const Tensor age = ages({distance}, device).view({1, 1});
    const Decision d =
        decide(e, {1, 1}, dtype, device, [&](const Tensor& x) { return expire_mask(x, age, 1, kRamp); });
    BOOST_TEST((d.value > 0) == (e > distance - kRamp));
    BOOST_TEST((d.gradient != 0) == (distance - kRamp <= e && e <= distance));
  });
}

BOOST_AUTO_TEST_CASE(adaptive_mask_decides_exactly) {
  for_all([](double z, int32_t distance, DType dtype, Device device) {
    const Tensor age = ages({distance}, device).view({1, 1});
    const Decision d = decide(z, {1}, dtype, device,
                              [&](const Tensor& x) { return adaptive_mask(x, age, 1, kRamp, kDistances); });
    BOOST_TEST((d.value > 0) == (z > distance - 1 - kRamp));
    BOOST_TEST((d.gradient != 0) == (distance - 1 - kRamp <= z && z <= distance - 1));
  });
}

// A row outside the softmax gets no gradient, although the end of the ramp would let one pass.
BOOST_AUTO_TEST_CASE(fused_expiring_decides_exactly) {
  for_all([](double e, int32_t distance, DType dtype, Device device) {
    const bool visible = e > distance - kRamp;
    BOOST_TEST((fused(MaskKind::expiring, e, distance, true, dtype, device).value > 0) == visible);
    BOOST_TEST((fused(MaskKind::expiring, e, distance, false, dtype, device).gradient != 0) ==
               (visible && e <= distance));
  });
}

BOOST_AUTO_TEST_CASE(fused_adaptive_decides_exactly) {
  for_all([](double z, int32_t distance, DType dtype, Device device) {
    BOOST_TEST((fused(MaskKind::adaptive, z, distance, true, dtype, device).value > 0) ==
               (z > distance - 1 - kRamp));
    if (distance == 1 || z <= 0) return;  // the nearest row has the same mask, or is on the ramp too
    BOOST_TEST((fused(MaskKind::adaptive, z, distance, false, dtype, device).gradient != 0) ==
               (distance - 1 - kRamp <= z && z <= distance - 1));
  });
}

BOOST_AUTO_TEST_CASE(span_loss_decides_exactly) {
  for_all([](double e, int32_t distance, DType dtype, Device device) {
    const Tensor age = ages({distance}, device).view({1, 1});
    const Decision d =
        decide(e, {1, 1}, dtype, device, [&](const Tensor& x) { return span_loss(x, age, 1, kRamp, kRamp); });
    BOOST_TEST((d.gradient != 0) == (distance - kRamp < e && e < distance));
  });
}

// Spans near 0, as a model has them that was pushed to forget: each row is on the ramp for R − 1 or R
// queries, and one query more or less of 16 would be an error of 6 %. 1e-6: the result is rounded to f32.
BOOST_AUTO_TEST_CASE(span_loss_of_saturated_spans_is_the_same_in_f32) {
  constexpr int64_t kRows = 64;
  std::vector<double> spans(kRows);
  std::vector<int32_t> age(kRows);
  for (int64_t j = 0; j < kRows; ++j) {
    spans[static_cast<size_t>(j)] = static_cast<float>(std::pow(10., -4 - static_cast<double>(j % 16)));
    age[static_cast<size_t>(j)] = static_cast<int32_t>(32 - j);
  }
  for (const Device device : test::available_devices()) {
    const auto loss = [&](DType dtype) {
      const Tensor e = Tensor::from(spans, {1, kRows}).to(dtype).to(device);
      return span_loss(e, ages(age, device).view({1, kRows}), 32, 16, 1.0).item();
    };
    BOOST_TEST(std::abs(loss(DType::f32) / loss(DType::f64) - 1) < 1e-6);
  }
}

// A row is forgotten exactly when the nearest later query, at age + n with n the block's length,
// cannot see it.
BOOST_AUTO_TEST_CASE(survivors_decide_exactly) {
  for_all([](double e, int32_t distance, DType dtype, Device device) {
    const PackedRows rows{Tensor::from(std::vector<int32_t>{0, 1}, {2}).to(device),
                          ages({distance - 1, 0}, device), 1, 1, 1};
    const Tensor spans = Tensor::from(std::vector<double>{e, -kRamp}, {2}).to(dtype).to(device);
    const Survivors s = survivors(rows, {.span = spans, .reach = kRamp});
    BOOST_TEST((s.start.to_vector<int32_t>().back() == 1) == (e > distance - kRamp));
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
