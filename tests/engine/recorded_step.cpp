#include "tests/engine/recorded_step.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include "nn/init.h"
#include "tests/engine/allocations.h"
#include "tests/threads.h"
#include "train/forward_backward.h"

namespace fade::test {
namespace {

// The sizes of a model that are varied.
struct Sizes {
  int streams = 2, block = 32, hidden = 16;  // (dropout's bits come in words of 32 queries)
  std::array<int, kRecordedLayers> rows{};   // in memory when a step begins, per stream
};

// What one model did: the sizes of its allocations in bytes, and the events of its last step.
struct Record {
  std::vector<double> permanent, allocations;
  std::vector<RecordedEvent> events;
};

class Recorder final : public AllocationObserver {
 public:
  void begin_step() {
    if (step_++ == 0)
      for (const auto& [p, block] : live_) permanent_[block.index] = block.bytes;
    record_.allocations.clear();
    record_.events.clear();
  }
  void on_allocate(const void* p, size_t bytes) override {
    const size_t index = record_.allocations.size();
    live_[p] = {step_, index, static_cast<double>(bytes)};
    record_.allocations.push_back(static_cast<double>(bytes));
    record_.events.push_back({RecordedEvent::allocate, index});
  }
  void on_release(const void* p) override {
    const auto block = live_.find(p);
    if (block == live_.end()) return;
    const auto [step, index, bytes] = block->second;
    if (step == 0) permanent_.erase(index);
    record_.events.push_back(
        {step == step_ ? RecordedEvent::release : RecordedEvent::release_earlier, index});
    live_.erase(block);
  }
  Record result() {
    for (const auto& [index, bytes] : permanent_) record_.permanent.push_back(bytes);
    return std::move(record_);
  }

 private:
  struct Block {
    int step;  // in which it was allocated
    size_t index;
    double bytes;
  };
  int step_ = 0;  // 0 before the first
  std::map<const void*, Block> live_;
  std::map<size_t, double> permanent_;  // made before the first step and not released: bytes by index
  Record record_;
};

Record record(const Sizes& sizes) {
  ModelConfig config;
  config.layers = kRecordedLayers;
  config.hidden = sizes.hidden;
  config.ff = 4 * sizes.hidden;
  config.heads = 8;
  config.block = sizes.block;
  config.max_span = 1024;
  config.dropout = 0.3;
  config.span.ramp = 2;
  config.span.pre_div = 1;

  Recorder recorder;
  std::optional<ObservingAllocations> observing(recorder);
  const Transformer model(config, DType::f32, Device::cpu, 1);
  for (size_t l = 0; l < kRecordedLayers; ++l) {  // a row survives at distances below its span + ramp
    const double span = (sizes.rows[l] + 0.5 - config.span.ramp) / config.max_span;
    init_constant(model.parameters().find(fmt::format("layers.{}.attn.span.bias", l)).value(),
                  std::log(span / (1 - span)));
  }
  Optimizer optimizer({.lr = 0}, model.parameters());
  Memory memory = model.empty_memory(sizes.streams);
  const Tensor tokens = Tensor::zeros({sizes.streams, sizes.block}, DType::i32),
               targets = tokens.view({tokens.numel()});
  Generator random(1);
  Tape tape;
  const int blocks = *std::ranges::max_element(sizes.rows) / sizes.block + 3;  // until memory is full
  for (int step = 0; step < blocks; ++step) {
    recorder.begin_step();
    model.parameters().zero_grad();
    const BlockLoss block =
        forward_backward(model, tape, tokens, targets, memory, {.training = true, .random = &random});
    update(model, optimizer, {&block, 1}, 1, 0.3);
    memory.drop_forgotten();
  }
  observing.reset();
  for (size_t l = 0; l < kRecordedLayers; ++l)
    if (memory[l].count() != sizes.streams * sizes.rows[l])
      fail("layer {} keeps {} rows", l, memory[l].count());
  return recorder.result();
}

}  // namespace

RecordedStep record_step(int streams) {
  const Threads one(1);  // on several, larger products are cut into parts, each with memory of its own
  Sizes small;
  small.rows.fill(32);
  const Record once = record(small);
  const auto again = [&](const Sizes& sizes) {
    Record r = record(sizes);
    if (r.allocations.size() != once.allocations.size() || r.permanent.size() != once.permanent.size())
      fail("the number of allocations depends on the sizes");
    return r;
  };

  Sizes more_streams = small, longer = small, wider = small;
  more_streams.streams *= 2;
  longer.block *= 2;
  for (int& rows : longer.rows) rows *= 2;
  wider.hidden *= 2;
  const double length = 512. / small.block;
  const struct {
    Record doubled;
    double factor;  // from the small model's size to the one in the configuration
  } sizes[] = {{again(more_streams), static_cast<double>(streams) / small.streams},
               {again(longer), length},
               {again(wider), 512. / small.hidden}};
  const auto scale = [&](std::vector<double> Record::*bytes, size_t i) {
    double product = 1;
    for (const auto& [doubled, factor] : sizes)
      if ((once.*bytes)[i] > 0)
        product *= std::pow(factor, std::log2((doubled.*bytes)[i] / (once.*bytes)[i]));
    return product;
  };

  RecordedStep step{.permanent = once.permanent, .allocations = {}, .events = once.events};
  for (size_t i = 0; i < step.permanent.size(); ++i) step.permanent[i] *= scale(&Record::permanent, i);
  for (const double bytes : once.allocations) step.allocations.push_back({.fixed = bytes});
  for (size_t l = 0; l < kRecordedLayers; ++l) {
    Sizes more_rows = small;
    more_rows.rows[l] *= 2;
    const Record more = again(more_rows);
    for (size_t i = 0; i < step.allocations.size(); ++i)
      if (const double rows = more.allocations[i] - once.allocations[i]; rows != 0)
        step.allocations[i] = {once.allocations[i] - rows, rows / small.rows[l], l};
  }
  for (size_t i = 0; i < step.allocations.size(); ++i) {
    step.allocations[i].fixed *= scale(&Record::allocations, i);
    step.allocations[i].per_row *= scale(&Record::allocations, i) / length;  // of the longer model's rows
  }
  return step;
}

}  // namespace fade::test
