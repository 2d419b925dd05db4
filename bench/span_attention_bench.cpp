// Fused attention of one layer, forward and backward. Arguments: streams, heads,
// features per head, block, context rows per stream, percent of the memory rows that are live.
// Forgetting keeps only live rows: at 60 % the number of rows differs between streams, 60 % on average,
// and the rows reach their ramps at different queries.
#include "ops/span_attention/span_attention_kernels.h"

#include <benchmark/benchmark.h>

#include <random>

namespace fade {
namespace {

constexpr int kRamp = 32;

struct Layer {
  SpanAttentionInputs in;
  SpanAttentionResult result;
  Tensor grad;
  SpanAttentionGradients d;
};

Tensor random(const Shape& shape, std::mt19937& engine) {
  std::vector<float> x(shape.numel());
  for (float& v : x) v = std::normal_distribution<float>()(engine);
  return Tensor::from(x, shape);
}

Layer layer_of(const benchmark::State& state) {
  const int64_t B = state.range(0), K = state.range(1), D = state.range(2), M = state.range(3),
                L = state.range(4), live = state.range(5);
  std::mt19937 engine(1);
  std::vector<int32_t> start{0}, age;
  std::vector<float> span;
  for (int64_t b = 0; b < B; ++b) {
    for (int64_t j = L - M; j > 0; --j) {
      const bool kept = static_cast<int64_t>(engine() % 100) < live;
      if (!kept) continue;
      age.push_back(static_cast<int32_t>(j));
      // All live: every row is fully visible. Otherwise spans end
      // anywhere between the row's age and the whole context.
      span.push_back(live == 100 ? 4 * L : std::uniform_real_distribution<float>(j, L)(engine));
    }
    start.push_back(static_cast<int32_t>(age.size()));
  }
  for (int64_t row = 0; row < B * M; ++row) {
    age.push_back(static_cast<int32_t>(-(row % M)));
    span.push_back(static_cast<float>(4 * L));
  }
  const auto N = static_cast<int64_t>(age.size()), H = K * D;
  const Shape outputs{B * M, H};
  return {.in = {.q = random(outputs, engine),
                 .kv = random({N, 2 * H}, engine),
                 .pos = random({M, D}, engine),
                 .span = Tensor::from(span, {N}),
                 .start = Tensor::from(start, {B + 1}),
                 .age = Tensor::from(age, {N}),
                 .kept = {},
                 .sizes = {.streams = static_cast<int32_t>(B),
                           .block = static_cast<int32_t>(M),
                           .heads = static_cast<int32_t>(K),
                           .ramp = kRamp,
                           .window = 0,
                           .memory_rows = N - B * M,
                           .mask = MaskKind::expiring,
                           .dropout = {}}},
          .result = {.out = Tensor::empty(outputs), .lse = Tensor::empty({B, K, M})},
          .grad = random(outputs, engine),
          .d = {.q = Tensor::empty(outputs),
                .kv = Tensor::empty({N, 2 * H}),
                .pos = Tensor::empty({M, D}),
                .span = Tensor::empty({N})}};
}

void forward(benchmark::State& state) {
  const Layer layer = layer_of(state);
  for (auto _ : state) span_attention_forward(Device::cpu, layer.in, layer.result);
}

void backward(benchmark::State& state) {
  const Layer layer = layer_of(state);
  span_attention_forward(Device::cpu, layer.in, layer.result);
  for (auto _ : state) span_attention_backward(Device::cpu, layer.in, layer.result, layer.grad, layer.d);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"B", "K", "D", "M", "L", "live"})->Unit(benchmark::kMillisecond)->UseRealTime();
  for (const int64_t L : {192, 384, 576})
    for (const int64_t live : {100, 60}) b->Args({16, 4, 32, 64, L, live});
  for (const int64_t live : {100, 60}) b->Args({16, 4, 64, 256, 1024, live});
}
BENCHMARK(forward)->Apply(sizes);
BENCHMARK(backward)->Apply(sizes);

}  // namespace
}  // namespace fade

BENCHMARK_MAIN();
