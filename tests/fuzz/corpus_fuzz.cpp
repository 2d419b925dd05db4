// Corpora and their readers: the first bytes are the vocabulary, the splits, streams and turns, blocks and chunks; the
// rest is the file.
#include <algorithm>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "train/data/corpus.h"
#include "train/data/streams.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fade;
  constexpr size_t settings = 5;
  if (size < settings) return 0;
  DataConfig config;
  config.path = fuzz::write("text", fuzz::text_of(data + settings, size - settings));
  config.vocab = 1 + data[0];
  const int train = 1 + data[1] % 100, valid = data[2] % (101 - train);
  config.split = {train, valid, 100 - train - valid};
  const int streams = 1 + data[3] % 16, block = 1 + data[4] % 16;
  const size_t room = static_cast<size_t>(streams) * static_cast<size_t>(block);
  fuzz::allow_refusal([&] {
    const Corpus corpus(config);
    size_t bytes = 0;
    for (const Split split : {Split::train, Split::valid, Split::test}) bytes += corpus.bytes(split).size();
    fuzz::require(bytes == size - settings, "splits cover the file");
    std::vector<int32_t> tokens(room), targets(room);
    const auto in_vocabulary = [&](const std::vector<int32_t>& all) {
      return std::ranges::all_of(all, [&](int32_t t) { return t >= 0 && t < config.vocab; });
    };
    fuzz::allow_refusal([&] {
      const ReadingOrder order{
          .streams = streams, .block = block, .turns = 1 + data[3] / 64, .chunk_bytes = data[4] / 16 * 4};
      TrainReader reader(corpus.bytes(Split::train), order, "train");
      for (int i = 0; i < 20; ++i) {
        reader.next(tokens, targets);
        fuzz::require(in_vocabulary(tokens) && in_vocabulary(targets), "blocks hold bytes of the file");
        reader.restore(reader.position());
      }
    });
    fuzz::allow_refusal([&] {
      const Streams reader = eval_streams(corpus.bytes(Split::valid), streams, "valid");
      const size_t length = std::min(reader.stride, static_cast<size_t>(block));
      for (const size_t begin : {size_t{0}, reader.stride - length}) {
        reader.read(begin, length, tokens, targets);
        fuzz::require(in_vocabulary(tokens) && in_vocabulary(targets), "blocks hold bytes of the file");
      }
    });
  });
  return 0;
}
