#include "cli/compress/byte_predictor.h"

#include <algorithm>

#include "cli/compress/range_coder.h"
#include "engine/parallel.h"
#include "engine/tape.h"

namespace fade {

constexpr int kGroup = 4;  // streams: enough to share the cost of an operation, few enough to use all cores

BytePredictor::BytePredictor(const Transformer& model, int streams)
    : model_(model),
      table_size_(static_cast<size_t>(model.config().vocab) + 1),
      tables_(static_cast<size_t>(streams) * table_size_) {
  const int group = model.device() == Device::cpu ? kGroup : streams;  // other devices run one call at a time
  for (int first = 0; first < streams; first += group) {
    const int count = std::min(group, streams - first);
    groups_.push_back({first, count, model.empty_memory(count)});
  }
}

void BytePredictor::read(std::span<const int32_t> bytes) {
  parallel_for(static_cast<int64_t>(groups_.size()), 1, [&](int64_t begin, int64_t end) {
    const OneThread alone;
    for (int64_t g = begin; g < end; ++g) read_group(groups_[g], bytes);
  });
}

void BytePredictor::read_group(Group& group, std::span<const int32_t> bytes) {
  const NoGrad off;
  const auto mine = bytes.subspan(group.first, group.count);
  StepReport report;
  const Tensor x = Tensor::from(mine, {group.count, 1}).to(model_.device());
  const std::vector<double> logits =
      model_.forward(x, group.memory, {.frozen = true}, report).to(DType::f64).to_vector<double>();
  group.memory.drop_forgotten();
  const size_t V = table_size_ - 1;
  for (int b = 0; b < group.count; ++b)
    quantise(std::span(logits).subspan(b * V, V),
             std::span(tables_).subspan((group.first + b) * table_size_, table_size_));
}

std::span<const uint32_t> BytePredictor::table(int stream) const {
  return std::span(tables_).subspan(stream * table_size_, table_size_);
}

}  // namespace fade
