// The decisions of the fused attention's dropout: where they begin, which are drawn, and those of the composed path.
#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "ops/span_attention/dropout_factors.h"
#include "ops/span_attention/span_attention.h"
#include "ops/span_attention/span_attention_kernels.h"
#include "tests/ops/op_checks.h"
#include "tests/ops/span_attention_inputs.h"
#include "tests/support.h"

namespace fade {

using namespace test;
using enum MaskKind;

BOOST_AUTO_TEST_SUITE(span_attention_dropout_test)

BOOST_AUTO_TEST_CASE(dropout_begins_with_a_stream) {
  const PackedRows rows{Tensor::from(std::vector<int32_t>{0, 0}, {2}),
                        Tensor::from(std::vector<int32_t>{0, -1}, {2}), 1, 2, 0};
  const auto attend = [&] {
    span_attention(Tensor::zeros({2, 4}), Tensor::zeros({2, 8}), {}, rows, SpanMask::fixed(),
                   {.heads = 2, .dropout = {0.1, {}, uint64_t{1} << 40}});
  };
  BOOST_TEST(error_of(attend) ==
             "span_attention: dropout begins at decision 1099511627776, needs a multiple of 2199023255552");
}

// Words of 32 queries: four to a pack on a GPU with the first case, one by one with the second.
BOOST_AUTO_TEST_CASE(dropout_draws_the_words_that_some_query_reaches) {
  const SpanAttentionCase packs{.name = "in packs",
                                .block = 256,
                                .heads = 3,
                                .head_size = 1,
                                .positions = 0,
                                .memory = {140, 3},
                                .kind = MaskKind::window,
                                .window = 90,
                                .dropout = 0.3};
  const SpanAttentionCase single{.name = "one by one",
                                 .block = 70,
                                 .heads = 2,
                                 .head_size = 1,
                                 .positions = 0,
                                 .memory = {40, 5},
                                 .dropout = 0.6,
                                 .first_stream = 5,
                                 .shuffled = true};
  for (const SpanAttentionCase& c : {packs, single}) {
    const NaiveInputs in = inputs_of(c);
    const SpanAttentionSizes& n = in.sizes;
    const int64_t rows = std::ssize(in.age), words = query_words(n.block);
    std::vector<int32_t> expected;
    for (int64_t j = 0; j < rows; ++j) {
      const int32_t age = in.age[static_cast<size_t>(j)];
      for (int64_t h = 0; h < n.heads; ++h) {
        const uint64_t row =
            n.dropout.first + dropout_index(n.stream_of(in.start.data(), j), n.heads, h, n.block, age, 0);
        for (int32_t first = 0; first < 32 * words; first += 32) {
          uint32_t bits = 0;
          bool reached = false;
          for (int32_t i = first; i < first + 32; ++i) {
            const auto number = row + static_cast<uint64_t>(i);
            bits |= uint32_t{is_kept(n.dropout.key, number, KeepRule(n.dropout.p).threshold)} << (i - first);
            reached |= age + i >= 1 && (n.window == 0 || age + i <= n.window);
          }
          expected.push_back(reached ? static_cast<int32_t>(bits) : 0);
        }
      }
    }
    BOOST_TEST(std::ranges::count(expected, 0) > 0);
    for (const Device device : available_devices()) {
      const Tensor kept = Tensor::empty({rows, n.heads, words}, DType::i32, device);
      span_attention_dropout(device, Tensor::from(in.start, {n.streams + 1}).to(device),
                             Tensor::from(in.age, {rows}).to(device), n, kept);
      BOOST_TEST(kept.to(Device::cpu).to_vector<int32_t>() == expected, c.name << " on " << name_of(device));
    }
  }
}

// Two streams, the second with a row of padding; blocks of 11 queries: two draws of eight.
BOOST_AUTO_TEST_CASE(dropout_factors_are_those_of_the_fused_weights) {
  const std::vector<int32_t> ages{30, 4, 0, 2, 1, kPaddingAge};
  const int64_t B = 2, K = 3, n = 11, L = 3;
  const DropoutDraw draw{0.4, {7, 9}, 4 * decisions_per_stream(K)};
  const KeepRule keep(draw.p);
  std::vector<double> expected;
  for (int64_t b = 0; b < B; ++b)
    for (int64_t h = 0; h < K; ++h)
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < L; ++j) {
          const uint64_t number = dropout_index(4 + b, K, h, n, ages[static_cast<size_t>(b * L + j)], i);
          expected.push_back(is_kept(draw.key, number, keep.threshold) ? keep.factor : 0);
        }
  for (const Device device : available_devices()) {
    const Tensor factors =
        dropout_factors_of_weights(Tensor::from(ages, {B, L}).to(device), K, n, draw, DType::f64);
    BOOST_TEST((factors.shape() == Shape{B, K, n, L} && factors.device() == device));
    BOOST_TEST(factors.to(Device::cpu).to_vector<double>() == expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
