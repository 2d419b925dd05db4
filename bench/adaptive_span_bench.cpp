// The cost of Adaptive-Span follows its spans: forward and backward of a block of 16 x 64 bytes in a model of
// four layers of width 128, max_span 2048, with all spans fixed at the argument. Memory is filled before
// timing starts; the counter `rows` is the number of memory rows per stream and layer.
#include <benchmark/benchmark.h>

#include "engine/tape.h"
#include "nn/init.h"
#include "train/forward_backward.h"

namespace {

using namespace fade;

constexpr int kStreams = 16;

ModelConfig config_of(double span) {
  ModelConfig c;
  c.kind = Kind::adaptive_span;
  c.layers = 4;
  c.hidden = 128;
  c.ff = 512;
  c.heads = 4;
  c.block = 64;
  c.max_span = 2048;
  c.span.ramp = 32;
  c.span.init = span / c.max_span;
  return c;
}

void block(benchmark::State& state) {
  const ModelConfig config = config_of(static_cast<double>(state.range(0)));
  const Transformer model(config, DType::f32, Device::cpu, 1);
  std::vector<int32_t> bytes(static_cast<size_t>(kStreams) * config.block);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<int32_t>(uniform_f64({1, 1}, i) * config.vocab);
  const Tensor tokens = Tensor::from(bytes, {kStreams, config.block}),
               targets = Tensor::from(bytes, {kStreams * config.block});
  Memory memory = model.empty_memory(kStreams);
  {
    const NoGrad off;
    for (int read = 0; read < config.max_span; read += config.block) {
      StepReport report;
      model.forward(tokens, memory, {}, report);
      memory.drop_forgotten();
    }
  }
  Tape tape;
  for (auto _ : state) {
    model.parameters().zero_grad();
    forward_backward(model, tape, tokens, targets, memory, {.training = true});
    memory.drop_forgotten();
  }
  state.counters["rows"] = memory.mean_rows();
}
BENCHMARK(block)
    ->ArgName("span")
    ->Arg(0)
    ->Arg(64)
    ->Arg(256)
    ->Arg(512)
    ->Arg(1024)
    ->Arg(2048)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
