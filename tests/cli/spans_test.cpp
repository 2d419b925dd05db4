// `fade spans`: the numbers are those of the model's own forward pass, for every kind; the text in a terminal.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>
#include <regex>

#include "cli/spans/output.h"
#include "cli/spans/words.h"
#include "engine/io/utf8.h"
#include "engine/tape.h"
#include "ops/span_attention/mask.h"
#include "tests/models/model_support.h"
#include "tests/support.h"
#include "train/evaluate.h"

namespace fade::test {
namespace {

std::vector<std::pair<const char*, ModelConfig>> all_models() {
  std::vector<std::pair<const char*, ModelConfig>> all = windowed_models();
  all.emplace_back("expire_span", small_model());
  all.emplace_back("expire_span, pre-norm", small_model(true));
  ModelConfig odd = small_model_of(Kind::compressive);
  odd.max_span = 21;  // not a whole number of blocks
  all.emplace_back("compressive, 21 rows", odd);
  return all;
}

std::vector<uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

SpanReading read(const Transformer& model, const std::vector<uint8_t>& text, std::vector<int64_t> cuts = {}) {
  return read_spans(model, text, "text", {.cuts = std::move(cuts)});
}

// The losses from the second byte on; the first has none.
std::vector<double> losses(const std::vector<double>& loss_bits) {
  BOOST_TEST(std::isnan(loss_bits.front()));
  return {loss_bits.begin() + 1, loss_bits.end()};
}

// Without escape sequences for colours.
std::string without_colours(const std::string& text) {
  return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m"), "");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(spans)

BOOST_DATA_TEST_CASE(every_byte_has_the_span_of_its_row, boost::unit_test::data::make({1, 2, 8, 9, 61}),
                     size) {
  const VariedModel model(small_model());
  const auto text = random_text(static_cast<size_t>(size), model.config().vocab);
  const SpanReading reading = read(model, text);
  std::vector<std::vector<double>> expected(2);
  const NoGrad off;
  Memory memory = model.empty_memory(1);
  for (size_t at = 0; at < text.size();) {
    const size_t n = std::min<size_t>(8, text.size() - at);
    const std::vector<int32_t> block(text.begin() + static_cast<std::ptrdiff_t>(at),
                                     text.begin() + static_cast<std::ptrdiff_t>(at + n));
    StepReport report;
    model.forward(Tensor::from(block, {1, static_cast<int64_t>(n)}), memory, {.frozen = true}, report);
    memory.drop_forgotten();
    for (size_t l = 0; l < 2; ++l)
      for (const double e : report.spans[l].to_vector<double>()) expected[l].push_back(e);
    at += n;
  }
  BOOST_TEST((reading.span == expected));
}

BOOST_AUTO_TEST_CASE(every_byte_but_the_first_has_a_loss) {
  for (const auto& [name, config] : all_models()) {
    const VariedModel model(config);
    for (const size_t size : {2u, 9u, 100u}) {
      const auto text = random_text(size, config.vocab);
      const auto found = losses(read(model, text).loss_bits);  // its last block is one position longer
      BOOST_TEST(largest_difference(found, bits_of_each_byte(model, text, {})) < kRounding, name);
    }
  }
}

// Rows are counted from spans and positions; here, from the weights that composed attention gives.
BOOST_AUTO_TEST_CASE(the_rows_of_a_query_are_those_with_weight) {
  const int most = 64;
  for (const auto& [name, config] : all_models()) {
    const VariedModel model(config);
    const auto text = random_text(130, config.vocab);
    const SpanReading reading = read(model, text);
    const StrongestRows found = strongest_rows(model, text, most);
    for (size_t l = 0; l < reading.layers(); ++l)
      for (size_t i = 0; i < text.size(); ++i) {
        const auto at = static_cast<std::ptrdiff_t>((l * text.size() + i) * most);
        const auto rows = std::count_if(found.distance.begin() + at, found.distance.begin() + at + most,
                                        [](int32_t distance) { return distance > 0; });
        BOOST_TEST(rows == reading.rows[l][i], name << ", layer " << l << ", byte " << i);
      }
  }
}

BOOST_AUTO_TEST_CASE(the_strongest_rows_come_first_and_share_the_attention) {
  for (const auto& [name, config] : all_models()) {
    const VariedModel model(config);
    const auto text = random_text(60, config.vocab);
    const StrongestRows all = strongest_rows(model, text, 64), few = strongest_rows(model, text, 3);
    for (size_t query = 0; query < 2 * text.size(); ++query) {
      const std::span weights = std::span(all.weight).subspan(query * 64, 64);
      BOOST_TEST(std::is_sorted(weights.begin(), weights.end(), std::greater<>()), name);
      const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
      if (query % text.size() == 0)
        BOOST_TEST(sum == 0, name);
      else  // 1e-8 in the denominator of soft masks, and sums in f32
        BOOST_TEST(std::abs(sum - 1) < 1e-5, name << ": " << sum);
      for (size_t k = 0; k < 3; ++k) {
        BOOST_TEST(few.distance[query * 3 + k] == all.distance[query * 64 + k]);
        BOOST_TEST(few.weight[query * 3 + k] == all.weight[query * 64 + k]);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_farthest_distance_is_where_the_mask_ends) {
  const ModelConfig expire = small_model(), adaptive = small_model_of(Kind::adaptive_span);
  for (const double span : {0.0, 1e-30, 0.5, 1.0, 2.0, 3.25, 11.999, 23.0, 24.0}) {
    const MaskFormula<double> rows(MaskKind::expiring, &span, 4), heads(MaskKind::adaptive, &span, 4);
    const auto far = static_cast<double>(farthest_seen(expire, span)),
               of_head = static_cast<double>(farthest_seen(adaptive, span));
    BOOST_TEST(rows.value(span, far) > 0, span);
    BOOST_TEST(rows.value(span, far + 1) == 0, span);
    BOOST_TEST(heads.value(span, of_head) > 0, span);
    if (of_head < 24) BOOST_TEST(heads.value(span, of_head + 1) == 0, span);
  }
}

BOOST_AUTO_TEST_CASE(a_cut_beyond_all_rows_changes_no_loss) {
  for (const auto& [name, config] : all_models()) {
    const VariedModel model(config);
    const auto text = random_text(130, config.vocab);
    const SpanReading reading = read(model, text, {farthest_seen(config, 24), 1000});
    for (const MemoryCut& cut : reading.memory_cut)
      BOOST_TEST((losses(cut.loss_bits) == losses(reading.loss_bits)), name << ": " << cut.rows);
  }
}

BOOST_AUTO_TEST_CASE(both_paths_of_attention_cut_alike) {
  for (const auto& [name, config] : all_models()) {
    ModelConfig readable = config;
    readable.attention = AttentionPath::composed;
    const VariedModel fused(config), composed(readable);
    const auto text = random_text(130, config.vocab);
    const std::vector<int64_t> rows{1, 2, 5, 8, 13, 23, 24, 27, 31, 40};
    const SpanReading a = read(fused, text, rows), b = read(composed, text, rows);
    for (size_t c = 0; c < rows.size(); ++c) {
      const auto cut = losses(a.memory_cut[c].loss_bits);
      BOOST_TEST(largest_difference(cut, losses(b.memory_cut[c].loss_bits)) < kRounding, name << rows[c]);
      if (rows[c] <= 5) BOOST_TEST(largest_difference(cut, losses(a.loss_bits)) > 0.01, name << rows[c]);
    }
  }
}

// A window that is cut is a smaller window.
BOOST_AUTO_TEST_CASE(a_cut_window_is_a_model_with_that_window) {
  ModelConfig config = small_model_of(Kind::transformer_xl);
  const VariedModel whole(config);
  const auto text = random_text(130, config.vocab);
  config.max_span = 9;
  const VariedModel small(config);
  for (const Parameter& p : small.parameters().all()) {
    const Tensor from = parameter(whole, p.name);
    p.value().copy_from(p.name == "pos.weight" ? from.rows(0, 9) : from);
  }
  BOOST_TEST(largest_difference(losses(read(whole, text, {9}).memory_cut[0].loss_bits),
                                losses(read(small, text).loss_bits)) < kRounding);
}

BOOST_AUTO_TEST_CASE(no_query_sees_beyond_the_cut_and_memory_is_no_longer) {
  for (const auto& [name, config] : all_models()) {
    ModelConfig readable = config;
    readable.attention = AttentionPath::composed;
    const VariedModel model(readable);
    const auto text = random_text(130, config.vocab);
    double farthest = 0;
    const auto watch = [&](const Tensor& weights, const Tensor& age) {
      const auto w = weights.to_vector<double>();
      const auto ages = age.to_vector<int32_t>();
      for (size_t at = 0; at < w.size(); ++at) {
        const auto query = static_cast<int64_t>(at / ages.size()) % weights.size(2);
        if (w[at] > 0) farthest = std::max(farthest, static_cast<double>(ages[at % ages.size()] + query));
      }
    };
    const double rows = evaluate(model, text, "text", {.window = 5, .on_weights = watch}).mean_rows;
    BOOST_TEST(farthest == 5, name);
    if (config.kind == Kind::compressive) continue;  // its rows are needed for slots
    BOOST_TEST(rows <= 5, name);
    const auto kept = bits_of_each_byte(model, text, {.forget = false, .window = 5});
    BOOST_TEST(largest_difference(kept, bits_of_each_byte(model, text, {.window = 5})) < kRounding, name);
  }
}

BOOST_AUTO_TEST_CASE(cuts_are_powers_of_four_below_the_farthest_row) {
  ModelConfig config = small_model_of(Kind::transformer_xl);
  config.max_span = 100;
  const VariedModel model(config);
  const auto cuts = [&](size_t size) {
    std::vector<int64_t> rows;
    for (const MemoryCut& cut : read_spans(model, random_text(size, 32), "text").memory_cut)
      rows.push_back(cut.rows);
    return rows;
  };
  BOOST_TEST((cuts(300) == std::vector<int64_t>{16, 64}));
  BOOST_TEST((cuts(18) == std::vector<int64_t>{16}));
  BOOST_TEST((cuts(17) == std::vector<int64_t>{}));  // its last query sees all 16 rows
}

BOOST_AUTO_TEST_CASE(texts_that_cannot_be_read_are_refused) {
  const VariedModel model(small_model());
  BOOST_TEST(contains(refusal([&] { read(model, {}); }), "text: empty"));
  BOOST_TEST(contains(refusal([&] { read(model, {1, 2, 77}); }), "text: byte 77 at offset 2"));
  parameter(model, "layers.1.attn.span.bias").copy_from(Tensor::from(std::vector<double>{NAN}, {1}));
  BOOST_TEST(contains(error_of([&] { read(model, {1, 2}); }), "are not numbers"));
}

BOOST_AUTO_TEST_CASE(a_choice_of_layers) {
  const VariedModel model(small_model());
  const SpanReading reading = read(model, random_text(20, 32));
  const auto spans = [&](const char* choice) { return LayerChoice::parse(choice, 2).spans(reading); };
  BOOST_TEST((spans("1") == reading.span[1]));
  for (size_t i = 0; i < 20; ++i) {
    const double a = reading.span[0][i], b = reading.span[1][i];
    BOOST_TEST(spans("max")[i] == std::max(a, b));
    BOOST_TEST(std::abs(spans("mean")[i] - (a + b) / 2) < kRounding);
  }
  for (const char* wrong : {"", "2", "-1", "1x", "avg", "99999999999999999999"})
    BOOST_TEST(contains(refusal([&] { LayerChoice::parse(wrong, 2); }), "--layer: found "), wrong);
}

BOOST_AUTO_TEST_CASE(words_and_their_spans) {
  const auto text = bytes_of("to be, or-not to be: café9");
  std::vector<std::string> found;
  for (const Word& w : words(text))
    found.emplace_back(text.begin() + static_cast<std::ptrdiff_t>(w.begin),
                       text.begin() + static_cast<std::ptrdiff_t>(w.end));
  BOOST_TEST((found == std::vector<std::string>{"to", "be", "or", "not", "to", "be", "café9"}));
  std::vector<double> spans(text.size());
  std::iota(spans.begin(), spans.end(), 0.0);
  const std::vector<WordSpan> twice = words_by_span(text, spans, 2);
  BOOST_REQUIRE(twice.size() == 2u);
  BOOST_TEST(twice[0].text == "be");  // bytes 3, 4 and 17, 18
  BOOST_TEST(twice[0].mean == 10.5);
  BOOST_TEST(twice[1].text == "to");
  BOOST_TEST(twice[1].mean == 7.5);
  BOOST_TEST(words_by_span(text, spans, 1).size() == 5u);
}

// Numbers that do not compress: a page has as many of the strongest rows as fit.
BOOST_AUTO_TEST_CASE(a_page_keeps_its_limit) {
  const auto reading_of = [](size_t layers, size_t size) {
    std::vector<double> numbers(size);
    for (size_t i = 0; i < size; ++i) numbers[i] = 24 * uniform_f64({1, 1}, i);
    ModelConfig config = small_model();
    config.layers = static_cast<int>(layers);
    return SpanReading{.text = random_text(size, 256),
                       .model = config,
                       .span = std::vector(layers, numbers),
                       .heads = {},
                       .rows = std::vector(layers, std::vector<int32_t>(size, 1)),
                       .loss_bits = numbers,
                       .memory_cut = {}};
  };
  const auto page_of = [](const SpanReading& reading) {
    StrongestRows rows{.count = kStrongestOnPage, .distance = {}, .weight = {}};
    const size_t all = reading.layers() * reading.text.size() * kStrongestOnPage;
    for (size_t i = 0; i < all; ++i) {
      rows.distance.push_back(static_cast<int32_t>(60000 * uniform_f64({2, 2}, i)));
      rows.weight.push_back(static_cast<float>(uniform_f64({3, 3}, i)));
    }
    return spans_page(reading, rows, {"text", "run"}, "mean");
  };
  const auto count_in = [](const std::string& page) { return page.substr(page.find("\"count\":"), 11); };
  BOOST_TEST(count_in(page_of(reading_of(2, 2000))) == "\"count\":16,");
  const std::string tight = page_of(reading_of(4, 20000));
  BOOST_TEST(tight.size() <= 4'000'000u);
  BOOST_TEST(count_in(tight) == "\"count\":8,\"");
  // Layers with the same numbers would compress.
  SpanReading large = reading_of(60, 20000);
  for (size_t l = 0; l < 60; ++l)
    for (size_t i = 0; i < 20000; ++i) large.span[l][i] = 24 * uniform_f64({l, 4}, i);
  BOOST_TEST(contains(refusal([&] { page_of(large); }), "exceeds its limit of 4 MB (--bytes takes less"));
}

// A terminal obeys control characters, and some others that are not seen.
BOOST_AUTO_TEST_CASE(a_terminal_is_given_colours_and_characters_only) {
  ModelConfig config = small_model();
  config.vocab = 256;
  const VariedModel model(config);
  std::vector<uint8_t> text(256);
  std::iota(text.begin(), text.end(), uint8_t{0});
  for (const uint8_t byte : bytes_of("\u202e\u200b\u0085caf\u00e9 \U0001f600 last")) text.push_back(byte);
  for (const char* choice : {"mean", "0"}) {
    const std::string shown = without_colours(spans_ansi(read(model, text), LayerChoice::parse(choice, 2)));
    BOOST_TEST(find_invalid_utf8(shown) == std::string::npos);
    BOOST_TEST(std::all_of(shown.begin(), shown.end(), [](char c) {
      return c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }));
    for (const char* part :
         {"\\x00\\x01", "\\x1b", "\\x7f\\x80",
          "\\xff\\xe2\\x80\\xae\\xe2\\x80\\x8b\\xc2\\x85caf\u00e9 \U0001f600 last", "\\x09↵\n\\x0b"})
      BOOST_TEST(contains(shown, part), shown);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
