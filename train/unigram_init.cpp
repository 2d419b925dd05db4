#include "train/unigram_init.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "nn/init.h"

namespace fade {

void begin_with_frequencies(const Transformer& model, const Bytes& text) {
  constexpr size_t kMost = 64 << 20;
  const Linear& out = model.output();
  std::vector<double> counts(256, 0.5);
  text.part(0, std::min(text.size(), kMost)).each_piece([&](std::span<const uint8_t> piece) {
    for (const uint8_t byte : piece) ++counts[byte];
  });
  counts.resize(static_cast<size_t>(out.bias.numel()));
  const double log_total = std::log(std::accumulate(counts.begin(), counts.end(), 0.0));
  std::ranges::transform(counts, counts.begin(), [&](double n) { return std::log(n) - log_total; });
  out.bias.copy_from(Tensor::from(counts, out.bias.shape()).to(out.bias.dtype()));
  init_constant(out.weight, 0);
}

}  // namespace fade
