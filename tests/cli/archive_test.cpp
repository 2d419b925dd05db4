// Compression with a model: a text comes back byte for byte, an archive has the size that evaluation
// predicts, on any number of threads, and damaged archives are refused.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "cli/compress/archive.h"
#include "cli/compress/range_coder.h"
#include "engine/alloc.h"
#include "engine/parallel.h"
#include "engine/rng.h"
#include "models/kinds.h"
#include "tests/models/model_support.h"
#include "tests/support.h"
#include "tests/threads.h"
#include "train/evaluate.h"

namespace fade::test {
namespace {

using Bytes = std::vector<uint8_t>;

// Codes the symbols of a text with the tables that `logits_of` gives for each position.
template <class F>
Bytes encode(const Bytes& symbols, const F& logits_of) {
  RangeEncoder encoder;
  for (size_t i = 0; i < symbols.size(); ++i) {
    const std::vector<double> logits = logits_of(i);
    std::vector<uint32_t> table(logits.size() + 1);
    quantise(logits, table);
    encoder.put(table, symbols[i]);
  }
  return encoder.finish();
}

template <class F>
Bytes decode(const Bytes& code, size_t length, const F& logits_of) {
  RangeDecoder decoder(code);
  Bytes symbols;
  for (size_t i = 0; i < length; ++i) {
    const std::vector<double> logits = logits_of(i);
    std::vector<uint32_t> table(logits.size() + 1);
    quantise(logits, table);
    symbols.push_back(static_cast<uint8_t>(decoder.take(table)));
  }
  BOOST_TEST(!decoder.overrun());
  return symbols;
}

/// A model with spans of all lengths, so that rows come and go.
struct Model {
  explicit Model(ModelConfig config = small_model(), uint64_t seed = 3)
      : transformer(config, DType::f32, Device::cpu, seed) {
    vary_spans(transformer);
  }
  Transformer transformer;
};

Bytes packed(const Model& model, const Bytes& text, int streams) {
  return compress(model.transformer, text, "text", streams);
}
Bytes unpacked(const Model& model, const Bytes& archive) {
  return decompress(model.transformer, archive, "archive");
}

/// The archive with a corrected checksum.
Bytes forged(Bytes archive) {
  uint32_t crc = ~uint32_t{0};
  for (size_t i = 9; i < archive.size(); ++i) {
    crc ^= archive[i];
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  for (size_t i = 0; i < 4; ++i) archive[5 + i] = static_cast<uint8_t>(~crc >> 8 * i);
  return archive;
}

constexpr size_t kLengthAt = 21;  // in an archive

}  // namespace

BOOST_AUTO_TEST_SUITE(archive)

BOOST_AUTO_TEST_CASE(tables_follow_the_probabilities) {
  std::vector<double> logits{0, std::log(3.0), -800, std::log(4.0)};
  std::vector<uint32_t> table(5);
  quantise(logits, table);
  const double total = std::ldexp(1, kFrequencyBits);
  BOOST_TEST(table.front() == 0u);
  BOOST_TEST(table.back() == total);
  BOOST_TEST((table[1] - table[0]) / total == 1.0 / 8, boost::test_tools::tolerance(1e-7));
  BOOST_TEST((table[2] - table[1]) / total == 3.0 / 8, boost::test_tools::tolerance(1e-7));
  BOOST_TEST(table[3] - table[2] == 1u);  // every symbol can be coded
  logits[1] = std::nan("");
  BOOST_CHECK_THROW(quantise(logits, table), Error);
}

BOOST_AUTO_TEST_CASE(coded_symbols_come_back_and_take_their_bits) {
  // Predictions that are sure of the right symbol, of a wrong one, of
  // none: intervals next to 0 and 1, long carries.
  const Bytes symbols = random_text(20000, 7);
  for (const double sharpness : {0.0, 1.0, 5.0, 20.0, 700.0}) {
    const auto logits_of = [&](size_t i) {
      std::vector<double> logits(7);
      for (size_t s = 0; s < 7; ++s) logits[s] = sharpness * uniform_f64({9, s}, i);
      if (i % 100 != 0) logits[symbols[i]] = 1.2 * sharpness;
      return logits;
    };
    double bits = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      std::vector<uint32_t> table(8);
      quantise(logits_of(i), table);
      bits -= std::log2(table[symbols[i] + 1u] - table[symbols[i]]) - kFrequencyBits;
    }
    const Bytes code = encode(symbols, logits_of);
    BOOST_TEST(static_cast<double>(code.size()) <= bits / 8 + 2, "sharpness " << sharpness);
    BOOST_TEST(static_cast<double>(code.size()) >= bits / 8, "sharpness " << sharpness);
    BOOST_TEST((decode(code, symbols.size(), logits_of) == symbols), "sharpness " << sharpness);
  }
}

BOOST_AUTO_TEST_CASE(a_carry_runs_through_any_number_of_bytes) {
  // The second of three symbols with equal probability, again and again, keeps the interval around 1/2: the
  // bytes 0x7f ff ff .. must wait until the end decides whether there is a carry.
  for (const uint8_t last : {0, 2}) {
    Bytes symbols(3000, 1);
    symbols.back() = last;
    const auto even = [](size_t) { return std::vector<double>(3); };
    BOOST_TEST((decode(encode(symbols, even), symbols.size(), even) == symbols));
  }
}

BOOST_AUTO_TEST_CASE(texts_of_any_length_come_back) {
  const Model model;
  for (const size_t length : {0u, 1u, 2u, 3u, 9u, 33u, 100u, 101u, 133u})
    for (const int streams : {1, 2, 3, 8, 50, 99}) {
      if (streams > 1 && length < static_cast<size_t>(streams) + 1) continue;
      const Bytes text = random_text(length, 32, length);
      const Bytes archive = packed(model, text, streams);
      BOOST_TEST(is_stored(archive) == (length < 100), length << " bytes, " << streams);
      BOOST_TEST((unpacked(model, archive) == text), length << " bytes, " << streams);
    }
}

BOOST_AUTO_TEST_CASE(every_model_compresses) {
  const Bytes text = random_text(150, 32);
  for (const KindInfo& kind : kKinds)
    for (const AttentionPath path : {AttentionPath::fused, AttentionPath::composed})
      for (const bool pre_norm : {false, true}) {
        ModelConfig config = small_model(pre_norm);
        config.kind = kind.kind;
        config.attention = path;
        const Model model(config);
        BOOST_TEST((unpacked(model, packed(model, text, 2)) == text), kind.name);
      }
}

// Proves that the reported bits per byte do not use the future: a
// decoder, which only knows the past, needs no more.
BOOST_AUTO_TEST_CASE(an_archive_has_the_size_that_evaluation_predicts) {
  const Bytes text = random_text(20011, 32);
  for (const bool pre_norm : {false, true})
    for (const int streams : {1, 5, 16}) {
      const Model model(small_model(pre_norm));
      const EvalResult said = evaluate(model.transformer, text, "text", {.streams = streams});
      BOOST_TEST(said.mean_rows < 20);  // rows are forgotten: without forgetting, 28
      const double bytes = said.bits_per_byte * static_cast<double>(said.bytes) / 8;
      const auto size = static_cast<double>(packed(model, text, streams).size());
      BOOST_TEST(size <= bytes * 1.001 + 64, streams << " streams: " << size << " for " << bytes);
      BOOST_TEST(size >= bytes, streams << " streams: " << size << " for " << bytes);
    }
}

BOOST_AUTO_TEST_CASE(a_text_that_is_not_predicted_is_stored) {
  ModelConfig config = small_model();
  config.vocab = 256;
  const Model model(config), other(config, 4);
  const Bytes text = random_text(5000, 256), archive = packed(model, text, 2);
  BOOST_TEST(is_stored(archive));
  BOOST_TEST(archive.size() == text.size() + 9);
  BOOST_TEST((unpacked(other, archive) == text));  // no model is needed
}

BOOST_AUTO_TEST_CASE(default_streams_grow_with_the_text) {
  BOOST_TEST(default_streams(0) == 1);
  BOOST_TEST(default_streams((2u << 16) - 1) == 1);
  BOOST_TEST(default_streams(5 << 16) == 5);
  BOOST_TEST(default_streams(size_t{1} << 40) == 16);
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter) {
  const Bytes text = random_text(900, 32);
  for (const int streams : {1, 3, 13}) {
    const Model model;
    const Threads one(1);
    const Bytes alone = packed(model, text, streams);
    for (const int count : {2, 3, 8}) {
      const Threads several(count);
      BOOST_TEST((packed(model, text, streams) == alone), count << " threads, " << streams << " streams");
      BOOST_TEST((unpacked(model, alone) == text), count << " threads, " << streams << " streams");
      BOOST_TEST(threads() == count);
    }
  }
}

// BLAS would split the sums of wide matrix products differently for each number of threads.
BOOST_AUTO_TEST_CASE(threads_do_not_matter_to_a_wide_model) {
  ModelConfig config = small_model();
  config.hidden = 256;
  config.ff = 1024;
  config.max_span = 200;
  config.layers = 1;
  const Model model(config);
  const Bytes text = random_text(400, 32);
  const Threads one(1);
  const Bytes alone = packed(model, text, 2);
  for (const int count : {2, 3}) {
    const Threads several(count);
    BOOST_TEST((packed(model, text, 2) == alone), count << " threads");
  }
}

BOOST_AUTO_TEST_CASE(memory_does_not_grow_with_the_text) {
  const Model model;
  const auto peak = [&](size_t length) {
    reset_peak(Device::cpu);
    packed(model, random_text(length, 32), 2);
    return memory_stats(Device::cpu).peak;
  };
  peak(2000);
  BOOST_TEST(peak(8000) <= peak(2000) * 1.1);
}

BOOST_AUTO_TEST_CASE(a_damaged_archive_is_refused) {
  const Model model;
  const Bytes coded = packed(model, random_text(100, 32), 2), stored = packed(model, random_text(10, 32), 2);
  BOOST_TEST((!is_stored(coded) && is_stored(stored)));
  for (const Bytes& archive : {coded, stored})
    for (size_t at = 0; at < archive.size(); ++at) {
      Bytes flipped = archive;
      flipped[at] ^= static_cast<uint8_t>(1 << at % 8);
      const std::string said = refusal([&] { unpacked(model, flipped); });
      BOOST_TEST(said.starts_with(at < 4    ? "archive: not an archive of fade compress"
                                  : at == 4 ? "archive: is in format"
                                            : "archive: damaged: its checksum"),
                 "byte " << at << ": " << said);
      const Bytes cut(archive.begin(), archive.begin() + static_cast<std::ptrdiff_t>(at));
      const std::string said_of_cut = refusal([&] { unpacked(model, cut); });
      BOOST_TEST(said_of_cut.starts_with(at < 4   ? "archive: not an archive of fade compress"
                                         : at < 9 ? "archive: damaged: it ends within its header"
                                                  : "archive: damaged: its checksum"),
                 at << " bytes: " << said_of_cut);
    }
}

// With a corrected checksum, the next check or the checksum of the text fails.
BOOST_AUTO_TEST_CASE(a_forged_archive_is_refused) {
  const Model model;
  const Bytes archive = packed(model, random_text(100, 32), 2);
  BOOST_TEST((forged(archive) == archive));
  for (size_t at = 9; at < archive.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes flipped = archive;
      flipped[at] ^= static_cast<uint8_t>(1 << bit);
      // Only the first bits of the last byte carry information: the text may still be right.
      const std::string said =
          refusal([&] { BOOST_TEST((unpacked(model, forged(flipped)).size() == 100u)); });
      if (at + 1 < archive.size()) BOOST_TEST(said.starts_with("archive: "), at << ": " << said);
    }
  const auto with = [&](std::initializer_list<uint8_t> length_and_streams) {
    Bytes changed(archive.begin(), archive.begin() + kLengthAt);
    changed.insert(changed.end(), length_and_streams);
    changed.insert(changed.end(), archive.begin() + kLengthAt + 2, archive.end());
    return refusal([&] { unpacked(model, forged(changed)); });
  };
  const std::string short_code = "archive: damaged: its code ends before its text does";
  BOOST_TEST(with({100, 0}).starts_with("archive: damaged: 0 streams for 100 bytes"));
  BOOST_TEST(with({100, 100}).starts_with("archive: damaged: 100 streams for 100 bytes"));
  BOOST_TEST(with({255, 255, 255, 255, 255, 255, 127, 2}).starts_with(short_code));
  BOOST_TEST(with({255, 255, 255, 255, 255, 255, 127, 255, 31}).starts_with(short_code));  // 4095 streams
  BOOST_TEST(!contains(with({255, 255, 127, 128, 32}), "archive: damaged: 4096 streams"));
  BOOST_TEST(with({255, 255, 127, 129, 32}).starts_with("archive: damaged: 4097 streams for"));
  BOOST_TEST(with({255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2})
                 .starts_with("archive: damaged: its header holds a number of more than 63 bits"));
}

BOOST_AUTO_TEST_CASE(another_model_is_refused) {
  const Model model;
  const Bytes archive = packed(model, random_text(100, 32), 2);
  const auto said_by = [&](const Model& other) { return refusal([&] { unpacked(other, archive); }); };
  const std::string other = "archive: was compressed with another model";
  BOOST_TEST(said_by(Model(small_model(), 4)).starts_with(other));
  ModelConfig longer = small_model();
  longer.max_span = 25;  // same weights, other spans
  BOOST_TEST(said_by(Model(longer)).starts_with(other));
  ModelConfig composed = small_model();
  composed.attention = AttentionPath::composed;  // the same model, rounded differently
  BOOST_TEST(said_by(Model(composed)).find("archive: was compressed where sums are rounded differently") ==
             0);
}

BOOST_AUTO_TEST_CASE(texts_that_cannot_be_compressed_are_refused) {
  const Model model;
  Bytes text = random_text(60, 32);
  text[17] = 32;
  BOOST_TEST(refusal([&] { packed(model, text, 2); }) ==
             "text: byte 32 at offset 17 is outside the vocabulary: data.vocab is 32, these bytes need 33");
  BOOST_TEST(refusal([&] { packed(model, random_text(3, 32), 3); }) ==
             "text: 3 bytes to compress, but 3 streams need 4 (use fewer streams)");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
