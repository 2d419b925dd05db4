// Readers of bytes: streams, blocks, turns, chunks, resuming, input noise.
#include <array>
#include <boost/test/unit_test.hpp>
#include <numeric>
#include <set>
#include <span>

#include "tests/models/model_support.h"
#include "tests/support.h"
#include "train/data/input_noise.h"
#include "train/data/streams.h"
#include "train/evaluate.h"

using namespace fade;
using test::contains;
using test::refusal;

namespace {

/// 0, 1, 2, ..: each byte is its own position modulo 256.
std::vector<uint8_t> counting(size_t size) {
  std::vector<uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  return bytes;
}

ReadingOrder order(int streams, int block, uint64_t seed = 1) {
  return {.streams = streams, .block = block, .seed = seed};
}

using Numbers = std::vector<int32_t>;

struct Block {
  Numbers tokens, targets;
  bool starts_epoch;
  bool operator==(const Block&) const = default;
};

Block next_block(TrainReader& reader, size_t streams, size_t block) {
  Block b{Numbers(streams * block), Numbers(streams * block), false};
  b.starts_epoch = reader.next(b.tokens, b.targets);
  return b;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(blocks_continue_their_streams) {
  const auto bytes = counting(23);  // two streams of 11; the last byte goes unread
  TrainReader reader(bytes, order(2, 3), "text");
  BOOST_TEST((next_block(reader, 2, 3) == Block{{0, 1, 2, 11, 12, 13}, {1, 2, 3, 12, 13, 14}, true}));
  BOOST_TEST((next_block(reader, 2, 3) == Block{{3, 4, 5, 14, 15, 16}, {4, 5, 6, 15, 16, 17}, false}));
  BOOST_TEST((next_block(reader, 2, 3) == Block{{6, 7, 8, 17, 18, 19}, {7, 8, 9, 18, 19, 20}, false}));
  BOOST_TEST(reader.position().epoch == 0);
  BOOST_TEST(next_block(reader, 2, 3).starts_epoch);  // a fourth block would need byte 12 of a stream
  BOOST_TEST(reader.position().epoch == 1);
}

BOOST_AUTO_TEST_CASE(epochs_start_at_offsets_spread_over_a_block) {
  const auto bytes = counting(200);
  TrainReader reader(bytes, order(2, 8, 3), "text"), other_seed(bytes, order(2, 8, 4), "text");
  std::vector<int32_t> starts, other_starts;
  for (int i = 0; i < 3000; ++i) {
    const Block b = next_block(reader, 2, 8), other = next_block(other_seed, 2, 8);
    if (b.starts_epoch) starts.push_back(b.tokens[0]);
    if (other.starts_epoch) other_starts.push_back(other.tokens[0]);
    for (size_t j = 0; j < b.tokens.size(); ++j) BOOST_REQUIRE(b.targets[j] == b.tokens[j] + 1);
    BOOST_REQUIRE(b.tokens[8] == b.tokens[0] + 100);
    BOOST_REQUIRE(b.targets[7] < 100);
  }
  BOOST_TEST(starts.size() > 200u);
  BOOST_TEST(starts[0] == 0);
  BOOST_TEST(std::set(starts.begin(), starts.end()) == (std::set<int32_t>{0, 1, 2, 3, 4, 5, 6, 7}),
             boost::test_tools::per_element());
  BOOST_TEST((starts != other_starts));
}

BOOST_AUTO_TEST_CASE(streams_go_from_chunk_to_chunk) {
  // Two streams with parts of 104 bytes: five chunks of 20, five blocks of 4 each, and 4 bytes for the last one's offset.
  const auto bytes = counting(209);
  const ReadingOrder chunks{.streams = 2, .block = 4, .chunk_bytes = 17};
  TrainReader reader(bytes, chunks, "text");
  Numbers visited;
  std::set<int32_t> offsets;
  for (int epoch = 0; epoch < 100; ++epoch) {
    Block b = next_block(reader, 2, 4);
    BOOST_TEST_REQUIRE(b.starts_epoch);
    const int32_t chunk = b.tokens[0] / 20, offset = b.tokens[0] % 20;
    if (epoch == 0) BOOST_TEST(offset == 0);
    BOOST_TEST(offset < 4);
    BOOST_TEST(b.tokens[4] == b.tokens[0] + 104);
    offsets.insert(offset);
    visited.push_back(chunk);
    for (int block = 1; block < 5; ++block) {
      const StreamPosition before = reader.position();
      const int32_t last = b.tokens[0];
      b = next_block(reader, 2, 4);
      BOOST_TEST_REQUIRE(!b.starts_epoch);
      BOOST_TEST(b.tokens[0] == last + 4);
      BOOST_TEST(b.targets[3] == last + 8);
      TrainReader resumed(bytes, chunks, "text");
      resumed.restore(before);
      BOOST_TEST((next_block(resumed, 2, 4) == b));
    }
  }
  BOOST_TEST(std::span(visited).first(10) == (Numbers{0, 3, 1, 4, 2, 0, 3, 1, 4, 2}),
             boost::test_tools::per_element());
  BOOST_TEST(offsets == (std::set<int32_t>{0, 1, 2, 3}), boost::test_tools::per_element());
  BOOST_TEST(refusal([&] { reader.restore({0, 24}); }).starts_with("data position: epoch 0, offset 24, "));
  BOOST_TEST((reader.possible({0, 24}).epoch == 1));
}

BOOST_AUTO_TEST_CASE(sets_of_streams_take_turns) {
  // Two sets of two streams with parts of 52 bytes: three chunks of 16 bytes, four blocks of 4, from any offset.
  const auto bytes = counting(211);
  const ReadingOrder turns{.streams = 2, .block = 4, .turns = 2, .chunk_bytes = 13};
  TrainReader reader(bytes, turns, "text");
  BOOST_TEST(
      (next_block(reader, 2, 4) == Block{{0, 1, 2, 3, 52, 53, 54, 55}, {1, 2, 3, 4, 53, 54, 55, 56}, true}));
  BOOST_TEST(reader.position().turn == 1);
  BOOST_TEST(
      (next_block(reader, 2, 4) ==
       Block{{104, 105, 106, 107, 156, 157, 158, 159}, {105, 106, 107, 108, 157, 158, 159, 160}, true}));
  for (int round = 1; round < 30; ++round) {
    const Block first = next_block(reader, 2, 4);
    TrainReader resumed(bytes, turns, "text");
    resumed.restore(reader.position());
    const Block second = next_block(reader, 2, 4);
    BOOST_TEST((next_block(resumed, 2, 4) == second));
    BOOST_TEST(first.starts_epoch == (round % 4 == 0));
    BOOST_TEST(second.starts_epoch == first.starts_epoch);
    BOOST_TEST(second.tokens[0] == first.tokens[0] + 104);
    BOOST_TEST(second.targets[7] == first.targets[7] + 104);
    BOOST_TEST(reader.position().turn == 0);
  }
  for (const int64_t turn : {-1, 2}) {
    BOOST_TEST(contains(refusal([&] {
                          reader.restore({0, 0, turn});
                        }),
                        fmt::format("turn {} does not exist", turn)));
    BOOST_TEST((reader.possible({0, 0, turn}).turn == 0));
  }
  BOOST_TEST(refusal([&] {
               reader.restore({0, 16, 1});
             }).starts_with("data position: "));  // nothing more fits
  BOOST_TEST(
      refusal([&] { TrainReader(std::span(bytes).first(19), turns, "text"); }) ==
      "text: 19 bytes to train on, allowed: at least 20, train.batch 2 x train.turns 2 x (model.block 4 + 1) "
      "(use a larger file, or reduce these)");
}

// But for its first byte, which is no target, and fewer at its end than there are chunks.
BOOST_AUTO_TEST_CASE(chunks_cover_all_of_a_part) {
  for (const size_t size : {60, 61, 75, 100, 133, 200, 201}) {
    const auto bytes = counting(size);
    const ReadingOrder chunks{.streams = 1, .block = 9, .chunk_bytes = 18};
    TrainReader reader(bytes, chunks, "text");
    std::set<int32_t> read;
    for (int i = 0; i < 3000; ++i)
      for (const int32_t byte : next_block(reader, 1, 9).targets) read.insert(byte);
    const size_t count = (size - 9) / 18;  // of chunks
    BOOST_TEST(read.size() == size - 1 - (size - 9) % count);
  }
}

BOOST_AUTO_TEST_CASE(any_few_chunks_lie_evenly_over_the_text) {
  for (const size_t count : {1, 2, 6, 12, 30, 100, 210, 233, 256}) {
    std::vector<uint8_t> bytes(8 * count + 8);  // each byte is the number of its chunk
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i / 8);
    const ReadingOrder chunks{.streams = 1, .block = 8, .chunk_bytes = 8};
    TrainReader reader(bytes, chunks, "text");
    std::set<int32_t> visited;
    std::array<double, 4> quarters{};
    for (size_t epoch = 1; epoch <= count; ++epoch) {
      const int32_t chunk = next_block(reader, 1, 8).tokens[0];
      BOOST_TEST_REQUIRE(visited.insert(chunk).second);
      ++quarters.at(static_cast<size_t>(chunk) * 4 / count);
      for (const double quarter : quarters)
        BOOST_TEST(std::abs(quarter - static_cast<double>(epoch) / 4) < 2.5);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_chunk_has_whole_blocks_and_is_no_longer_than_the_part_of_a_stream) {
  const auto bytes = counting(120);
  const auto blocks_of_first_chunk = [&](int64_t chunk_bytes) {  // of two streams with 60 bytes each
    const ReadingOrder chunks{.streams = 2, .block = 9, .chunk_bytes = chunk_bytes};
    TrainReader reader(bytes, chunks, "text");
    next_block(reader, 2, 9);
    int blocks = 1;
    while (!next_block(reader, 2, 9).starts_epoch) ++blocks;
    return blocks;
  };
  BOOST_TEST(blocks_of_first_chunk(0) == 6);
  BOOST_TEST(blocks_of_first_chunk(1'000'000'000) == 6);
  BOOST_TEST(blocks_of_first_chunk(28) == 6);  // 36 bytes, and one chunk has room
  BOOST_TEST(blocks_of_first_chunk(18) == 3);  // two chunks of 25, and the 9 bytes after each
  BOOST_TEST(blocks_of_first_chunk(10) == 3);
  BOOST_TEST(blocks_of_first_chunk(9) == 2);  // five of 10
  BOOST_TEST(blocks_of_first_chunk(1) == 2);
}

BOOST_AUTO_TEST_CASE(the_smallest_corpus_is_one_block_per_stream_and_one_byte) {
  const auto bytes = counting(27);
  TrainReader smallest(bytes, order(3, 8), "text");
  for (int i = 0; i < 5; ++i)
    BOOST_TEST(next_block(smallest, 3, 8).tokens[8] == 9);  // only offset 0 leaves room
  BOOST_TEST(
      refusal([&] { TrainReader(std::span(bytes).first(26), order(3, 8), "text"); }) ==
      "text: 26 bytes to train on, allowed: at least 27, train.batch 3 x train.turns 1 x (model.block 8 + 1) "
      "(use a larger file, or reduce these)");
  BOOST_TEST(
      contains(refusal([&] { TrainReader({}, order(65536, 65536), "text"); }), "at least 4295032832, "));

  TrainReader tight(bytes, order(2, 8), "text");  // 13 bytes per stream: offsets 0..4
  std::set<int32_t> starts;
  for (int i = 0; i < 200; ++i) starts.insert(next_block(tight, 2, 8).tokens[0]);
  BOOST_TEST(starts == (std::set<int32_t>{0, 1, 2, 3, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_restored_reader_continues_exactly) {
  const auto bytes = counting(150);
  TrainReader straight(bytes, order(3, 7, 11), "text");
  for (int i = 0; i < 40; ++i) {
    TrainReader resumed(bytes, order(3, 7, 11), "text");
    resumed.restore(straight.position());
    BOOST_TEST((resumed.position() == straight.position()));
    TrainReader ahead = straight;
    for (int j = 0; j < 20; ++j) BOOST_REQUIRE((next_block(resumed, 3, 7) == next_block(ahead, 3, 7)));
    next_block(straight, 3, 7);
  }
  BOOST_TEST(straight.position().epoch > 3);
  for (const StreamPosition wrong : {StreamPosition{0, 3}, {0, -7}, {-1, 0}, {0, 70}, {0, 1'000'000'007}})
    BOOST_TEST(refusal([&] { straight.restore(wrong); }).starts_with("data position: epoch "));
}

BOOST_AUTO_TEST_CASE(evaluation_predicts_every_byte_once) {
  const auto bytes = counting(200);
  for (const int streams : {1, 2, 3, 7, 16, 199})
    for (const int block : {1, 8, 64, 256}) {
      ModelConfig config = test::small_model();
      config.block = block;
      config.vocab = 256;
      const Transformer model(config, DType::f32, Device::cpu, 1);
      std::set<size_t> places;
      const auto on_block = [&](const EvalBlock& at) {
        BOOST_TEST_REQUIRE((at.bits.size() == at.length * streams && at.targets.size() == at.bits.size()));
        for (size_t i = 0; i < at.bits.size(); ++i) {
          BOOST_TEST_REQUIRE(places.insert(at.place(i)).second);  // not before
          BOOST_TEST_REQUIRE(at.tokens[i] == bytes[at.place(i)]);
          BOOST_TEST_REQUIRE(at.targets[i] == bytes[at.place(i) + 1]);
        }
      };
      const EvalResult result = evaluate(model, bytes, "text", {.streams = streams, .on_block = on_block});
      const size_t expected = 199 / static_cast<size_t>(streams) * static_cast<size_t>(streams);
      BOOST_TEST(result.bytes == static_cast<int64_t>(expected));
      BOOST_TEST(places.size() == expected);
      BOOST_TEST(*places.rbegin() == expected - 1);  // the places are 0 to expected − 1
    }
  BOOST_TEST(refusal([&] {
               eval_streams(std::span(bytes).first(4), 4, "text valid");
             }).starts_with("text valid: 4 bytes to evaluate, but 4 streams need 5"));
  BOOST_TEST(refusal([&] { eval_streams({}, 1, "text valid"); }).starts_with("text valid: 0 bytes"));
}

BOOST_AUTO_TEST_CASE(input_noise_replaces_a_share_of_the_bytes_by_others_of_their_stream) {
  constexpr int32_t kStreams = 20, kLength = 1000;
  Numbers clean(kStreams * kLength);
  std::iota(clean.begin(), clean.end(), 0);  // each number tells its stream and its place
  const RngKey key{7, 3};
  const auto noisy = [&](double p) {
    Numbers tokens = clean;
    add_input_noise(tokens, kLength, p, key, 0);
    return tokens;
  };
  BOOST_TEST(noisy(0) == clean);
  // Of 20,000 numbers, a share of p has a standard deviation of at most 0.004, and a tenth one of 0.002.
  for (const double p : {0.1, 1.0}) {
    const Numbers tokens = noisy(p);
    double changed = 0;
    std::array<double, 10> tenths{};
    for (size_t i = 0; i < tokens.size(); ++i) {
      BOOST_TEST_REQUIRE(tokens[i] / kLength == clean[i] / kLength);
      changed += tokens[i] != clean[i];
      ++tenths.at(static_cast<size_t>(tokens[i] % kLength / (kLength / 10)));
    }
    const double n = static_cast<double>(tokens.size());
    BOOST_TEST(std::abs(changed / n - p * (1 - 1.0 / kLength)) < 0.015);
    for (const double tenth : tenths) BOOST_TEST(std::abs(tenth / n - 0.1) < 0.01);
  }
  // Streams 5 to 7, read by another rank.
  Numbers later(clean.begin() + 5 * kLength, clean.begin() + 8 * kLength);
  add_input_noise(later, kLength, 0.1, key, 5);
  const Numbers all = noisy(0.1);
  BOOST_TEST(std::equal(later.begin(), later.end(), all.begin() + 5 * kLength));
  BOOST_TEST(
      contains(test::error_of([&] { add_input_noise(later, 999, 0.1, key, 0); }), "no streams of 999"));
}

BOOST_AUTO_TEST_SUITE_END()
