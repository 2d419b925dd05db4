#include "train/data/input_noise.h"

#include <algorithm>
#include <vector>

#include "engine/error.h"

namespace fade {

void add_input_noise(std::span<int32_t> tokens, size_t length, double p, RngKey key, size_t first) {
  if (length == 0 || tokens.size() % length != 0)
    fail("input noise: {} tokens are no streams of {}", tokens.size(), length);
  std::vector<int32_t> read(length);
  for (size_t begin = 0; begin < tokens.size(); begin += length) {
    const std::span<int32_t> stream = tokens.subspan(begin, length);
    std::ranges::copy(stream, read.begin());
    for (size_t i = 0; i < length; ++i) {
      const uint64_t draw = 2 * (first * length + begin + i);
      if (uniform_f64(key, draw) < p)
        stream[i] = read[static_cast<size_t>(uniform_f64(key, draw + 1) * static_cast<double>(length))];
    }
  }
}

}  // namespace fade
