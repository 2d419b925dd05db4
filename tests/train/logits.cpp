// The logits of a model on a text, for comparison with another implementation (tests/shell/pytorch_test.sh): read as
// `fade eval` reads it.
//   fade_logits CHECKPOINT TEXT STREAMS OUT.safetensors      logits.0, logits.1, .. [STREAMS·n, V]: one per block
#include <fmt/format.h>

#include <cstdlib>

#include "train/checkpoint/weights.h"
#include "train/data/corpus.h"
#include "train/evaluate.h"

namespace fade::test {
namespace {

void write_logits(const char* checkpoint, const char* text, int streams, const char* out) {
  const LoadedModel loaded = load_model(checkpoint);
  DataConfig data = loaded.config.data;
  data.path = text;
  const Corpus corpus(data);
  TensorFile file;
  const auto keep = [&](const EvalBlock& block) {
    file.tensors.push_back({fmt::format("logits.{}", file.tensors.size()), block.logits.to(Device::cpu)});
  };
  evaluate(*loaded.model, corpus.bytes(Split::all), text, {.streams = streams, .on_block = keep});
  save_safetensors(out, file);
}

}  // namespace
}  // namespace fade::test

int main(int argc, char** argv) {
  const int streams = argc == 5 ? std::atoi(argv[3]) : 0;
  if (streams < 1) {
    fmt::print(stderr, "fade_logits CHECKPOINT TEXT STREAMS OUT: STREAMS is a number of at least 1\n");
    return 2;
  }
  try {
    fade::test::write_logits(argv[1], argv[2], streams, argv[4]);
  } catch (const std::exception& e) {
    fmt::print(stderr, "fade_logits: {}\n", e.what());
    return 1;
  }
}
