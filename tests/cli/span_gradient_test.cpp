// The terms of one row's span gradient (fade explain) against the tape, the fused attention, the gradients of
// the span's parameters, and differences of the loss.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "cli/explain/span_gradient.h"
#include "cli/explain/words.h"
#include "engine/observe.h"
#include "engine/tape.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "tests/models/model_support.h"
#include "train/forward_backward.h"

namespace fade::test {
namespace {

ModelConfig composed(ModelConfig config) {
  config.attention = AttentionPath::composed;
  return config;
}

/// small_model() with another ramp; with pre_norm, queries and keys are normalised, too.
ModelConfig model_with(bool pre_norm, int ramp) {
  ModelConfig config = small_model(pre_norm);
  config.qk_norm = pre_norm;
  config.span.ramp = ramp;
  return config;
}

/// Of sums that may cancel: what their rounding is measured by.
double size_of_terms(const SpanGradient& g) {
  double size = g.auxiliary();
  for (const BlockTerms& block : g.blocks)
    for (const QueryTerm& query : block.queries)
      for (const HeadTerm& head : query.heads)
        size += query.slope * (std::abs(head.direct()) + std::abs(head.renormalisation()));
  return size;
}

/// Calls f(tokens, targets, first, ages) for the blocks of `text`, read as one stream; `ages` are those of the
/// context's rows, per layer.
template <class F>
void for_blocks(const Transformer& model, const std::vector<uint8_t>& text, const F& f) {
  Memory memory = model.empty_memory(1);
  const int64_t end = static_cast<int64_t>(text.size()) - 1;
  for (int64_t first = 0; first < end; first += model.config().block) {
    const int64_t n = std::min<int64_t>(model.config().block, end - first);
    const std::vector<int32_t> bytes(text.begin() + first, text.begin() + first + n),
        next(text.begin() + first + 1, text.begin() + first + n + 1);
    std::vector<std::vector<int32_t>> ages;
    for (size_t l = 0; l < memory.layers(); ++l)
      ages.push_back(context_ages(memory[l].age, 1, n).to_vector<int32_t>());
    f(Tensor::from(bytes, {1, n}), Tensor::from(next, {n}), memory, first, ages);
    memory.drop_forgotten();
  }
}

/// The gradient of the spans that a layer's fused attention was given, per layer.
struct FusedSpans final : TapeObserver {
  explicit FusedSpans(const Tape& t) : tape(t) {}
  void on_output(const OpDef& op, size_t node, const Tensor& /*out*/,
                 std::initializer_list<const Tensor*> /*inputs*/) override {
    if (std::string_view(op.name) == "span_attention") nodes.push_back(node);
  }
  void on_gradient(const OpDef& /*op*/, size_t node, int input, const Tensor& gradient) override {
    gradients.resize(nodes.size());
    for (size_t l = 0; l < nodes.size(); ++l)
      if (tape.node(node).inputs[input] == tape.node(nodes[l]).inputs[3]) gradients[l] = gradient;
  }
  const Tape& tape;
  std::vector<size_t> nodes;
  std::vector<Tensor> gradients;
};

/// [layer][row]: the sum over all blocks of the tape's gradient of the row's span, with fused attention.
std::vector<std::vector<double>> fused_gradients(const Transformer& model, const std::vector<uint8_t>& text) {
  std::vector<std::vector<double>> sums(static_cast<size_t>(model.config().layers),
                                        std::vector<double>(text.size()));
  Tape tape;
  for_blocks(model, text, [&](const auto& x, const auto& y, Memory& memory, int64_t first, const auto& ages) {
    FusedSpans observer(tape);
    const Observing on(tape, observer);
    forward_backward(model, tape, x, y, memory, {.training = true});
    for (size_t l = 0; l < sums.size(); ++l) {
      const auto gradient = observer.gradients.at(l).template to_vector<double>();
      for (size_t j = 0; j < gradient.size(); ++j)
        sums[l][static_cast<size_t>(first - ages[l][j])] += gradient[j];
    }
  });
  return sums;
}

/// The sum of loss + aux over the blocks.
double total_loss(const Transformer& model, const std::vector<uint8_t>& text) {
  double sum = 0;
  for_blocks(model, text, [&](const auto& x, const auto& y, Memory& memory, int64_t, const auto&) {
    const NoGrad off;
    StepReport report;
    sum += cross_entropy(model.forward(x, memory, {.training = true}, report), y).item();
    sum += report.aux.item();
  });
  return sum;
}

constexpr double kRelative = 1e-12;  // f64: sums of some dozens of products

}  // namespace

BOOST_AUTO_TEST_SUITE(span_gradient)

BOOST_AUTO_TEST_CASE(totals_are_those_of_the_tape_and_of_fused_attention) {
  for (const bool pre_norm : {false, true})
    for (const int ramp : {2, 4, 7}) {
      const auto text = random_text(62, 32);  // the last block is shorter
      const VariedModel model(composed(model_with(pre_norm, ramp)));
      const auto fused = fused_gradients(VariedModel(model_with(pre_norm, ramp)), text);
      size_t queries = 0, blocks = 0;
      for (const int64_t row : {0, 3, 7, 8, 20, 41, 55, 58, 60})
        for (const SpanGradient& g : span_gradients(model, text, "text", row)) {
          BOOST_TEST_CONTEXT("pre_norm " << pre_norm << ", ramp " << ramp << ", row " << row << ", layer "
                                         << g.layer) {
            const double rounding = kRelative * size_of_terms(g);
            BOOST_TEST(std::abs(g.d_span() - g.tape) <= rounding);
            BOOST_TEST(std::abs(g.d_span() - fused[static_cast<size_t>(g.layer)][static_cast<size_t>(row)]) <=
                       10 * rounding);  // other sums, forward and backward
            BOOST_TEST(std::abs(g.span - 24 / (1 + std::exp(-g.logit))) <= kRelative * 24);
            queries += g.queries();
            blocks += g.blocks.size();
          }
        }
      BOOST_TEST(queries > 10u * static_cast<size_t>(ramp));
      BOOST_TEST(blocks > 12u);  // ramps that go on in the next block
    }
}

BOOST_AUTO_TEST_CASE(fields_agree_with_each_other) {
  const auto text = random_text(62, 32);
  const ModelConfig config = composed(small_model());
  const VariedModel model(config);
  for (const int64_t row : {1, 17, 30})
    for (const SpanGradient& g : span_gradients(model, text, "text", row)) {
      for (const BlockTerms& block : g.blocks) {
        int64_t fading = 0;
        for (const QueryTerm& query : block.queries) {
          BOOST_TEST(query.position >= block.first);
          BOOST_TEST(query.position < block.first + block.length);
          BOOST_TEST(query.distance == query.position - row);
          BOOST_TEST(query.remaining == g.span - static_cast<double>(query.distance),
                     boost::test_tools::tolerance(1e-14));
          BOOST_TEST(std::abs(query.mask - (query.remaining / 4 + 1)) < 1e-14);
          BOOST_TEST(query.slope == 0.25);
          fading += query.mask > 0 && query.mask < 1;
          BOOST_REQUIRE(query.heads.size() == 2u);
          for (const HeadTerm& head : query.heads)
            BOOST_TEST(std::abs(head.faded - head.weight * query.mask / head.den) < 1e-15);
        }
        BOOST_TEST(block.fading == fading);
        BOOST_TEST(block.push == 0.01 / (4.0 * static_cast<double>(block.length)),
                   boost::test_tools::tolerance(1e-15));
      }
      if (g.layer > 0) continue;
      // In the first layer of a post-norm model, h is the byte's embedding.
      const auto embed = parameter(model, "embed.weight").to_vector<double>();
      const auto h = std::span(embed).subspan(text[static_cast<size_t>(row)] * 16u, 16);
      const double norm = std::sqrt(std::inner_product(h.begin(), h.end(), h.begin(), 0.0));
      BOOST_TEST(std::abs(g.d_weight_norm() - std::abs(g.d_bias()) * norm) <= 1e-14 * norm);
    }
}

BOOST_AUTO_TEST_CASE(all_rows_together_are_the_gradient_of_the_bias) {
  for (const bool pre_norm : {false, true}) {
    const auto text = random_text(40, 32);
    const VariedModel model(composed(small_model(pre_norm))), fused(small_model(pre_norm));
    std::vector<double> sums(2), sizes(2);
    for (int64_t row = 0; row + 1 < std::ssize(text); ++row)
      for (const SpanGradient& g : span_gradients(model, text, "text", row)) {
        sums[static_cast<size_t>(g.layer)] += g.d_bias();
        sizes[static_cast<size_t>(g.layer)] += size_of_terms(g) * g.slope;
      }
    Tape tape;
    for_blocks(fused, text, [&](const auto& x, const auto& y, Memory& memory, int64_t, const auto&) {
      forward_backward(fused, tape, x, y, memory, {.training = true});
    });
    for (size_t l = 0; l < 2; ++l) {
      const double bias = fused.parameters().find(fmt::format("layers.{}.attn.span.bias", l)).grad().item();
      BOOST_TEST(std::abs(sums[l] - bias) <= kRelative * sizes[l]);
      BOOST_TEST(sizes[l] > 0);
    }
  }
}

// In a model of one layer, what a memory row holds does not depend on spans. A change of the span's weight
// that is orthogonal to the embeddings of all bytes but one moves the spans of that byte's rows alone.
BOOST_AUTO_TEST_CASE(differences_of_the_loss_agree) {
  constexpr size_t kHidden = 16;
  constexpr int64_t kRow = 5;
  ModelConfig config = small_model();
  config.layers = 1;
  config.span.loss = 0.3;  // both parts count
  const VariedModel model(composed(config));
  auto text = random_text(46, 9);
  text[kRow] = 20;  // the only one
  const auto embed = parameter(model, "embed.weight").to_vector<double>();
  const auto dot = [](std::span<const double> a, std::span<const double> b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  std::vector<std::vector<double>> basis;  // orthonormal, of the bytes 0 to 8; then the direction
  for (const size_t byte : {0, 1, 2, 3, 4, 5, 6, 7, 8, 20}) {
    std::vector<double> v(embed.begin() + static_cast<std::ptrdiff_t>(byte * kHidden),
                          embed.begin() + static_cast<std::ptrdiff_t>((byte + 1) * kHidden));
    for (const auto& b : basis) {
      const double along = dot(v, b);
      for (size_t i = 0; i < kHidden; ++i) v[i] -= along * b[i];
    }
    const double length = byte == 20 ? dot(v, v) : std::sqrt(dot(v, v));
    for (double& x : v) x /= length;
    basis.push_back(v);
  }
  const auto& direction = basis.back();  // direction·h is 1 for our row, 0 for the others
  const Tensor weight = parameter(model, "layers.0.attn.span.weight");
  const auto loss_at = [&](double step) {
    const Tensor kept = weight.clone();
    for (size_t i = 0; i < kHidden; ++i) weight.mutate<double>()[i] += step * direction[i];
    const double loss = total_loss(model, text);
    weight.copy_from(kept);
    return loss;
  };
  const SpanGradient g = span_gradients(model, text, "text", kRow).front();
  constexpr double kStep = 1e-5;
  const double difference = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
  BOOST_TEST(std::abs(difference - g.d_logit()) <
             1e-8);  // losses near 10 in f64, over 2e-5; truncation 1e-10
  BOOST_TEST(std::abs(g.d_logit()) > 1e-4);
  BOOST_TEST(std::abs(g.direct()) > 1e-5);
  BOOST_TEST(std::abs(g.auxiliary()) > 1e-5);
}

BOOST_AUTO_TEST_CASE(a_row_that_no_query_meets_on_its_ramp) {
  const auto text = random_text(30, 32);
  ModelConfig config = composed(small_model());
  config.max_span = 200;
  config.span.init = 0.4;  // 80 positions
  const Transformer model(config, DType::f64, Device::cpu, 1);
  const auto layers = span_gradients(model, text, "text", 10);
  for (const SpanGradient& g : layers) {
    BOOST_TEST(g.blocks.empty());
    BOOST_TEST(g.d_span() == 0.0);
    BOOST_TEST(g.tape == 0.0);
    BOOST_TEST(g.outlives_text);
    BOOST_TEST(std::abs(g.span - 80) < 1e-12);
  }
  const Explained explained{layers, 0, text, "text", 10, config};
  BOOST_TEST(contains(verdict(explained), "no gradient, exactly 0"));
  BOOST_TEST(contains(verdict(explained), "after the last query (28)"));
}

BOOST_AUTO_TEST_CASE(a_text_of_two_bytes_has_one_query_that_sees_nothing) {
  const VariedModel model(composed(small_model()));
  const std::vector<uint8_t> text{1, 2};
  for (const SpanGradient& g : span_gradients(model, text, "text", 0)) {
    BOOST_TEST(g.blocks.empty());
    BOOST_TEST(g.tape == 0.0);
    BOOST_TEST(g.span > 0);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_refused) {
  const VariedModel model(composed(small_model()));
  const std::vector<uint8_t> text{1, 2, 3}, letter{1};
  BOOST_TEST(refusal([&] { span_gradients(model, letter, "a.txt", 0); }) ==
             "a.txt: 1 bytes, and at least 2 are needed: a row and the byte that it helps to predict");
  for (const int64_t row : {int64_t{2}, int64_t{1} << 40})
    BOOST_TEST(
        refusal([&] { span_gradients(model, text, "a.txt", row); }) ==
        fmt::format("--row {}: a.txt has rows 0 to 1 (its last byte is predicted, but never read)", row));
  BOOST_TEST(contains(
      error_of([&] { span_gradients(VariedModel(small_model()), text, "a.txt", 0); }),
      "needs model.kind expire_span, model.attention composed, model.recompute false and dtype f64"));
}

BOOST_AUTO_TEST_CASE(the_verdict_names_the_queries) {
  const std::vector<uint8_t> text(40, 'a');
  const ModelConfig config = small_model();
  const auto verdict_of = [&](const std::vector<double>& attention, double push) {
    SpanGradient g{.span = 10};
    BlockTerms& block = g.blocks.emplace_back();
    block.push = push;
    block.fading = static_cast<int64_t>(attention.size());
    for (size_t i = 0; i < attention.size(); ++i)
      block.queries.push_back({.position = 14 + static_cast<int64_t>(i),
                               .slope = 1,
                               .heads = {{.weight = 1, .den = 1, .gradient = attention[i]}}});
    return verdict({{g}, 0, text, "text", 3, config});
  };
  BOOST_TEST(verdict_of({-1, -2, -1}, 0.1) == "kept: queries 14-16 wanted more of it than of what they had");
  BOOST_TEST(verdict_of({-1, 0, -0.001}, 0.1) == "kept: query 14 wanted more of it than of what they had");
  BOOST_TEST(verdict_of({-9, 1, -8, -8, 1, -7, 1, -2, 1, -2}, 0.1) ==
             "kept: queries 14, 16-17, 19 and 2 others wanted more of it than of what they had");
  BOOST_TEST(verdict_of({1, 2, -1}, 0.1) == "let go: queries 14-15 wanted less of it than of what they had");
  BOOST_TEST(verdict_of({-1, 0.5}, 1) ==
             "let go: query 14 wanted more of it than of what they had, but less than its price");
  BOOST_TEST(verdict_of({0, 0}, 1) == "let go: no query on its ramp looks at it, and it has its price");
  BOOST_TEST(verdict_of({0, 0}, 0) ==
             "left as it is: no query on its ramp looks at it, and a span has no price");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
