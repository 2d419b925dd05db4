#include "train/data/vocabulary.h"

#include <algorithm>

#include "engine/error.h"

namespace fade {

void check_vocabulary(std::span<const uint8_t> bytes, int vocab, const std::string& name) {
  if (vocab == 256) return;
  uint8_t greatest = 0;  // a maximum vectorises, so a large file is checked as fast as it is read
  for (const uint8_t byte : bytes) greatest = std::max(greatest, byte);
  if (bytes.empty() || greatest < vocab) return;
  const auto outside = std::ranges::find_if(bytes, [&](int byte) { return byte >= vocab; });
  refuse("{}: byte {} at offset {} is outside the vocabulary: data.vocab is {}, these bytes need {}", name,
         int{*outside}, outside - bytes.begin(), vocab, greatest + 1);
}

}  // namespace fade
