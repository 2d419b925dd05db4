// Archives with corrected checksums, so that the code behind the checksum is reached. An accepted archive is
// one that compress writes.
#include <zlib.h>

#include <cstring>
#include <vector>

#include "cli/compress/archive.h"
#include "engine/parallel.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace fade;

const Transformer& model() {
  static const Transformer smallest = [] {
    set_threads(1);
    ModelConfig c;
    c.layers = c.heads = 1;
    c.hidden = c.ff = c.block = 4;
    c.max_span = 8;
    c.span.ramp = 2;
    c.vocab = 16;
    return Transformer(c, DType::f32, Device::cpu, 1);
  }();
  return smallest;
}

/// Corrects the format, in a coded archive the checksums of the model and of the arithmetic,
/// then the checksum.
void make_right(std::vector<uint8_t>& archive) {
  static const std::vector<uint8_t> coded = compress(model(), std::vector<uint8_t>(1000), "fuzz", 1);
  constexpr size_t format = 4, checksum = 5, models = 9, content = 17;
  if (archive.size() < content) return;
  std::memcpy(archive.data(), coded.data(), format);
  archive[format] = archive[format] == 2 ? 2 : 1;
  if (!is_stored(archive)) std::memcpy(archive.data() + models, coded.data() + models, content - models);
  const auto sum = static_cast<uint32_t>(crc32_z(0, archive.data() + models, archive.size() - models));
  std::memcpy(archive.data() + checksum, &sum, sizeof sum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> archive(data, data + size);
  if (size % 4 != 0) make_right(archive);
  fuzz::allow_refusal([&] {
    const std::vector<uint8_t> text = decompress(model(), archive, "fuzz");
    if (is_stored(archive))
      fuzz::require(text.size() + 9 == archive.size(), "a stored text is what follows the header");
    else
      for (const uint8_t byte : text) fuzz::require(byte < 16, "a text is in the vocabulary");
  });
  return 0;
}
