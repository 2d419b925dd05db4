// The fused attention against naive.h and central differences, and naive.h against the specification.
#include "ops/span_attention/span_attention.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>
#include <type_traits>

#include "engine/parallel.h"
#include "engine/product_precision.h"
#include "engine/tape.h"
#include "ops/span_attention/span_attention_kernels.h"
#include "tests/instruction_sets.h"
#include "tests/ops/op_checks.h"
#include "tests/ops/span_attention_inputs.h"
#include "tests/ops/span_attention_reference.h"
#include "tests/support.h"

namespace fade {
namespace {

using namespace test;
using enum MaskKind;

template <class T>
Tensor tensor_of(const std::vector<double>& x, const Shape& shape) {
  return Tensor::from(std::vector<T>(x.begin(), x.end()), shape);
}

/// The operation on `in` as tensors of T (pos and spans of compute_t<T>), the inputs as leaves.
template <class T>
struct Fused {
  Tensor q, kv, pos, span, out;

  explicit Fused(const NaiveInputs& in, Device device = Device::cpu) {
    const SpanAttentionSizes& n = in.sizes;
    const auto rows = static_cast<int64_t>(in.age.size()), hidden = n.heads * in.head_size;
    q = tensor_of<T>(in.q, {int64_t{n.streams} * n.block, hidden}).to(device);
    kv = tensor_of<T>(in.kv, {rows, 2 * hidden}).to(device);
    q.set_requires_grad();
    kv.set_requires_grad();
    if (!in.pos.empty()) {
      pos = tensor_of<compute_t<T>>(in.pos, {std::ssize(in.pos) / in.head_size, in.head_size}).to(device);
      pos.set_requires_grad();
    }
    SpanMask mask{n.mask, {}, n.ramp, n.window, n.slots};
    if (!in.span.empty()) {
      span = tensor_of<compute_t<T>>(in.span, {static_cast<int64_t>(in.span.size())}).to(device);
      span.set_requires_grad();
      mask.span = span;
    }
    const PackedRows packed{Tensor::from(in.start, {n.streams + 1}).to(device),
                            Tensor::from(in.age, {rows}).to(device), n.streams, n.block, n.memory_rows};
    out = span_attention(q, kv, pos, packed, mask, {.heads = n.heads, .dropout = n.dropout});
  }
};

std::vector<double> values(const Tensor& t) { return t.to(DType::f64).to_vector<double>(); }

/// The largest difference, relative to the largest expected value, or to `scale` if all are smaller.
double difference(const std::vector<double>& found, const std::vector<double>& expected,
                  double scale = 1e-3) {
  for (const double e : expected) scale = std::max(scale, std::abs(e));
  return largest_difference(found, expected) / scale;
}

/// x as T holds it.
template <class T>
void round_to(std::vector<double>& x) {
  for (double& v : x) v = T(v);
}

/// The operation on `in`, and the gradients for `grad`, the gradient of out.
template <class T>
NaiveResult fused_result(const NaiveInputs& in, const std::vector<double>& grad, Device device) {
  const Recording on;
  const Fused<T> fused(in, device);
  backward(fused.out, tensor_of<T>(grad, fused.out.shape()).to(device));
  const auto gradient = [](const Tensor& t) { return t ? values(t.grad()) : std::vector<double>(); };
  return {values(fused.out), gradient(fused.q), gradient(fused.kv), gradient(fused.pos),
          gradient(fused.span)};
}

/// Of f32 and bf16 also that a second run gives the same bits: on the CPU with more threads; on a GPU and on the
/// emulated device, it executes the thread blocks in another order.
template <class T>
void check_against_naive(NaiveInputs in, const std::string& name, double tolerance, Device device,
                         double scale) {
  std::vector<double> grad = Draw(5).normal(static_cast<int64_t>(in.q.size()));
  for (std::vector<double>* x : {&in.q, &in.kv, &in.pos, &grad}) round_to<T>(*x);
  const NaiveResult expected = naive_span_attention(in, grad);
  set_threads(1);
  const NaiveResult found = fused_result<T>(in, grad, device);
  set_threads(3);
  BOOST_TEST_CONTEXT(name << " on " << name_of(device)) {
    if (!std::is_same_v<T, double>) BOOST_TEST((fused_result<T>(in, grad, device) == found));
    BOOST_TEST(difference(found.out, expected.out, scale) < tolerance);
    BOOST_TEST(difference(found.dq, expected.dq, scale) < tolerance);
    BOOST_TEST(difference(found.dkv, expected.dkv, scale) < tolerance);
    BOOST_TEST(difference(found.dpos, expected.dpos, scale) < tolerance);
    BOOST_TEST(difference(found.dspan, expected.dspan, scale) < tolerance);
  }
  set_threads(0);
}
template <class T>
void check_against_naive(const SpanAttentionCase& c, double tolerance, Device device = Device::cpu,
                         double scale = 1e-3) {
  check_against_naive<T>(inputs_of(c), c.name, tolerance, device, scale);
}

/// Calls f(device) with each device; with the CPU once for each of its instruction sets.
template <class F>
void for_each_implementation(const F& f) {
  for (const Device device : available_devices())
    if (device != Device::cpu) f(device);
  for_each_instruction_set([&] { f(Device::cpu); });
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(span_attention_test)

// naive.h, which differentiates softmax and renormalisation in one step, against the specification,
// which has two. 1e-11: as below.
BOOST_AUTO_TEST_CASE(naive_is_the_specification) {
  for (const SpanAttentionCase& c : kSpanAttentionCases) {
    const NaiveInputs in = inputs_of(c);
    const std::vector<double> grad = Draw(5).normal(static_cast<int64_t>(in.q.size()));
    const NaiveResult expected = Reference(in, grad).result;
    const NaiveResult found = naive_span_attention(in, grad);
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_TEST(difference(found.out, expected.out) < 1e-11);
      BOOST_TEST(difference(found.dq, expected.dq) < 1e-11);
      BOOST_TEST(difference(found.dkv, expected.dkv) < 1e-11);
      BOOST_TEST(difference(found.dpos, expected.dpos) < 1e-11);
      BOOST_TEST(difference(found.dspan, expected.dspan) < 1e-11);
    }
  }
}

// 1e-11: sums of a few hundred terms and exp, each with an error of about 1e-16, divided by the eps in the
// denominator, 1e-8, in the worst case (a head without span).
BOOST_AUTO_TEST_CASE(f64_is_naive) {
  for_each_implementation([](Device device) {
    for (const SpanAttentionCase& c : kSpanAttentionCases) check_against_naive<double>(c, 1e-11, device);
  });
}

// 1e-5: f32 rounds at 6e-8, so that scores of size 10 have an error of 1e-6.
BOOST_AUTO_TEST_CASE(f32_is_naive) {
  for_each_implementation([](Device device) {
    for (const SpanAttentionCase& c : kSpanAttentionCases) check_against_naive<float>(c, 1e-5, device);
  });
}

// The largest score of a query rises from one tile of rows to the next, by more than 11, with
// rows that fade and with dropout. 2e-5: scores of size 20.
BOOST_AUTO_TEST_CASE(rising_scores_are_naive) {
  const SpanAttentionCase c{.name = "rising scores",
                            .block = 40,
                            .heads = 1,
                            .head_size = 16,
                            .positions = 9,
                            .memory = {300},
                            .longest = 600,
                            .dropout = 0.2};
  NaiveInputs in = inputs_of(c);
  const int64_t rows = std::ssize(in.age), size = c.head_size;
  for (int64_t j = 0; j < rows; ++j)
    for (int64_t k = 0; k < size; ++k)
      in.kv[static_cast<size_t>(j * 2 * size + k)] *=
          6.0 * static_cast<double>(j) / static_cast<double>(rows);
  for_each_implementation([&](Device device) {
    check_against_naive<double>(in, c.name, 1e-11, device, 1e-3);
    check_against_naive<float>(in, c.name, 2e-5, device, 1e-3);
  });
}

// Blocks of one query and of two, with memory: the last query is NaN and the others see numbers.
BOOST_AUTO_TEST_CASE(a_nan_in_a_query_gives_nan) {
  for (const int64_t block : {1, 2}) {
    NaiveInputs in = inputs_of(
        {.name = "NaN", .block = block, .heads = 1, .head_size = 9, .positions = 5, .memory = {20}});
    in.q.back() = NAN;
    const auto check = [&]<class T>(Device device) {
      const std::vector<double> out = values(Fused<T>(in, device).out);
      for (size_t i = 0; i < out.size(); ++i)
        BOOST_TEST(std::isnan(out[i]) == (i + 9 >= out.size()),
                   "element " << i << " of " << block << " queries on " << name_of(device));
    };
    for_each_implementation([&](Device device) {
      check.template operator()<float>(device);
      check.template operator()<double>(device);
    });
  }
}

// Scores of size 1e10, as of a model that diverges: each query sees one row, and nothing becomes infinite.
BOOST_AUTO_TEST_CASE(huge_scores_are_finite) {
  const SpanAttentionCase c{.name = "huge scores",
                            .block = 20,
                            .heads = 2,
                            .head_size = 16,
                            .positions = 9,
                            .memory = {100},
                            .longest = 200};
  NaiveInputs in = inputs_of(c);
  for (double& q : in.q) q *= 1e10;
  const std::vector<double> grad = Draw(5).normal(static_cast<int64_t>(in.q.size()));
  const NaiveResult expected = naive_span_attention(in, grad);
  for (const Device device : test::available_devices()) {
    const NaiveResult found = fused_result<float>(in, grad, device);
    BOOST_TEST(difference(found.out, expected.out, 1e-3) < 1e-4);
    for (const auto* gradient : {&found.dq, &found.dkv, &found.dpos, &found.dspan})
      BOOST_TEST(std::ranges::all_of(*gradient, [](double g) { return std::isfinite(g); }));
  }
}

// 2e-3: TF32 rounds at 5e-4. A gradient below 1 (`scale`) is a difference of larger terms, which are rounded.
BOOST_AUTO_TEST_CASE(tf32_is_nearly_naive) {
  const ProductPrecisionScope tf32(ProductPrecision::tf32);
  for (const Device device : test::available_devices())
    for (const SpanAttentionCase& c : kSpanAttentionCases) check_against_naive<float>(c, 2e-3, device, 1);
}

// 1e-2: bf16 rounds at 2e-3, and weights or dS, the result, and the result's part in Δ are rounded.
BOOST_AUTO_TEST_CASE(bf16_is_nearly_naive) {
  if (!has_backend(Device::cuda)) return;
  for (const SpanAttentionCase& c : kSpanAttentionCases)
    if (c.head_size <= kLargestHeadOfBf16) check_against_naive<bf16>(c, 1e-2, Device::cuda, 1);
}

BOOST_AUTO_TEST_CASE(other_mixtures_and_larger_heads_are_refused) {
  const auto refused = [](Device device, DType pos, int64_t hidden) {
    const PackedRows rows{Tensor::from(std::vector<int32_t>{0, 0}, {2}).to(device),
                          Tensor::from(std::vector<int32_t>{0, -1}, {2}).to(device), 1, 2, 0};
    return error_of([&] {
      span_attention(Tensor::zeros({2, hidden}, DType::bf16, device),
                     Tensor::zeros({2, 2 * hidden}, DType::bf16, device),
                     Tensor::zeros({2, hidden}, pos, device), rows, SpanMask::fixed(), {});
    });
  };
  BOOST_TEST(refused(Device::cpu, DType::f32, 8) ==
             "span_attention: got a tensor of bf16, needs f32 or f64 (convert with .to(DType::f32))");
  if (!has_backend(Device::cuda)) return;
  BOOST_TEST(refused(Device::cuda, DType::f32, 128) == "(no error)");
  BOOST_TEST(refused(Device::cuda, DType::f32, 136) ==
             "span_attention: 136 features per head of bf16, at most 128 (use more heads)");
  BOOST_TEST(refused(Device::cuda, DType::bf16, 8) ==
             "span_attention: pos is a tensor of bf16, needs f32 (convert with .to(DType::f32))");
}

// A row that has expired for every query has no effect: not even a NaN in it, at any place among the others.
BOOST_AUTO_TEST_CASE(expired_rows_do_not_matter) {
  const SpanAttentionCase c{.name = "memory has expired",
                            .block = 70,
                            .heads = 2,
                            .head_size = 8,
                            .positions = 40,
                            .memory = {100, 30},
                            .shortest = 150,
                            .longest = 250};
  const size_t row = 2 * static_cast<size_t>(c.heads * c.head_size);
  for (const size_t every : {1, 3}) {
    NaiveInputs in = inputs_of(c);
    const auto memory = static_cast<size_t>(in.start.back());
    for (size_t j = 0; j < memory; j += every) in.span[j] = -100;
    const auto results = [&](double key, Device device) {
      for (size_t j = 0; j < memory; j += every)
        std::fill_n(in.kv.begin() + static_cast<std::ptrdiff_t>(j * row), row, key);
      const Recording on;
      const Fused<float> fused(in, device);
      backward(fused.out, tensor_of<float>(in.q, fused.out.shape()).to(device));
      return std::vector{values(fused.out), values(fused.q.grad()), values(fused.kv.grad()),
                         values(fused.pos.grad()), values(fused.span.grad())};
    };
    for (const Device device : test::available_devices())
      BOOST_TEST((results(0, device) == results(NAN, device)),
                 "every " << every << "th row, " << name_of(device));
  }
}

// Central differences along random directions, with a random cotangent. 1e-7: a step of 1e-5 has an error of
// about 1e-10 from the third derivative and 1e-11 from rounding.
BOOST_AUTO_TEST_CASE(gradient_is_the_difference_quotient) {
  for (const SpanAttentionCase& c : kSpanAttentionCases) {
    if (c.name == "a head without span") continue;  // where m is 0 the slope of 1e-8 dominates
    NaiveInputs in = inputs_of(c);
    const std::vector<double> cotangent = Draw(21).normal(static_cast<int64_t>(in.q.size()));
    const auto loss = [&] { return dot(values(Fused<double>(in).out), cotangent); };
    const Recording on;
    const Fused<double> fused(in);
    backward(fused.out, tensor_of<double>(cotangent, fused.out.shape()));
    const auto check = [&](const char* what, std::vector<double>& input, const Tensor& grad) {
      const std::vector<double> start = input,
                                direction = Draw(22).normal(static_cast<int64_t>(input.size()));
      const double step = 1e-5, slope = dot(values(grad), direction);
      const auto loss_at = [&](double t) {
        const NoGrad off;
        for (size_t i = 0; i < input.size(); ++i) input[i] = start[i] + t * direction[i];
        return loss();
      };
      const double quotient = (loss_at(step) - loss_at(-step)) / (2 * step);
      input = start;
      BOOST_TEST_CONTEXT(c.name << ", " << what)
      BOOST_TEST(std::abs(slope - quotient) <= 1e-7 * (1 + std::abs(slope)));
    };
    check("q", in.q, fused.q.grad());
    check("kv", in.kv, fused.kv.grad());
    if (fused.pos) check("pos", in.pos, fused.pos.grad());
    if (fused.span && c.cut > 1e8 && !c.whole)  // a cut and an end of the ramp are kinks
      check("span", in.span, fused.span.grad());
  }
}

// 64 streams, 8 heads, blocks of 8 tiles: later tiles of a block see more rows, but the 256 thread blocks that
// share all tiles see equally many.
BOOST_AUTO_TEST_CASE(thread_blocks_share_the_tiles_evenly) {
  const int64_t heads = 8, tiles_of_block = 8, tiles = 64 * heads * tiles_of_block, blocks = 256;
  std::vector<int64_t> places(blocks), times(tiles);
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t turn = 0; turn * blocks < tiles; ++turn) {
      const int64_t n = tile_of_turn(block, blocks, turn);
      ++times.at(static_cast<size_t>(n));
      places[static_cast<size_t>(block)] += n / heads % tiles_of_block;
    }
  }
  BOOST_TEST(times == std::vector<int64_t>(tiles, 1), boost::test_tools::per_element());
  BOOST_TEST(places == std::vector<int64_t>(blocks, 16 * 7 / 2), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
