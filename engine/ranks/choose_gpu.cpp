#include "engine/ranks/choose_gpu.h"

#include <vector>

#include "engine/error.h"

namespace fade {
namespace {

constexpr VisibleGpus kNone = {
    .count = [] { return 0; }, .select = [](int) {}, .name = [] { return std::string(); }};

VisibleGpus& visible() {
  static VisibleGpus gpus = kNone;
  return gpus;
}

constexpr const char* kRemedy = "start one rank per GPU, or use --device cpu";

}  // namespace

bool register_gpus(const VisibleGpus& gpus) {
  visible() = gpus;
  return true;
}

void choose_gpu(const Ranks& ranks) { choose_gpu(ranks, visible()); }

void choose_gpu(const Ranks& ranks, const VisibleGpus& gpus) {
  const int count = gpus.count();
  if (!ranks.any(count > 0)) return;
  std::string own;
  ranks.together([&] {
    if (count != 1 && count < ranks.local_count())
      refuse("{} ranks on a machine with {} visible GPUs ({})", ranks.local_count(), count, kRemedy);
    gpus.select(count == 1 ? 0 : ranks.local_rank());
    own = gpus.name();
  });
  const std::vector<std::string> names = ranks.gather(own);
  for (size_t b = 0; b < names.size(); ++b)
    for (size_t a = 0; a < b; ++a) {
      if (names[a] != names[b]) continue;
      ranks.others_know();
      refuse("{} and {} have the same GPU, {} ({})", ranks.name_of(static_cast<int>(a)),
             ranks.name_of(static_cast<int>(b)), names[b], kRemedy);
    }
}

}  // namespace fade
