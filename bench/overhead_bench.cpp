// The engine's overhead: nanoseconds per operation on tensors of four numbers.
//
//   build/bench/overhead_bench        (Release; the goal is under 200 ns per recorded node)
#include <benchmark/benchmark.h>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"

namespace {

using namespace fade;

constexpr int kOps = 1000;  // in sequence, about as many as on the tape of a step

Tensor chain(Tensor x, const Tensor& step) {
  for (int i = 0; i < kOps; ++i) x = add(x, step);
  return x;
}

void set_per_op(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * kOps);
  state.counters["per_op"] = benchmark::Counter(static_cast<double>(state.iterations()) * kOps,
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void no_grad_op(benchmark::State& state) {
  const Tensor x = Tensor::full({4}, 1), step = Tensor::full({4}, 0.5);
  for (auto _ : state) benchmark::DoNotOptimize(chain(x, step));
  set_per_op(state);
}
BENCHMARK(no_grad_op);

void recorded_op(benchmark::State& state) {
  const Tensor step = Tensor::full({4}, 0.5);
  Tensor x = Tensor::full({4}, 1);
  x.set_requires_grad();
  Tape tape;
  const Recording on(tape);
  for (auto _ : state) {
    benchmark::DoNotOptimize(chain(x, step));
    state.PauseTiming();
    tape.clear();
    state.ResumeTiming();
  }
  set_per_op(state);
}
BENCHMARK(recorded_op);

void backward_node(benchmark::State& state) {
  const Tensor step = Tensor::full({4}, 0.5), cotangent = Tensor::full({4}, 1);
  Tensor x = Tensor::full({4}, 1);
  x.set_requires_grad();
  Tape tape;
  const Recording on(tape);
  for (auto _ : state) {
    state.PauseTiming();
    const Tensor y = chain(x, step);
    state.ResumeTiming();
    tape.backward(y, cotangent);
  }
  set_per_op(state);
}
BENCHMARK(backward_node);

void recorded_and_backward_mul(benchmark::State& state) {
  const Tensor step = Tensor::full({4}, 1.0001), cotangent = Tensor::full({4}, 1);
  Tensor x = Tensor::full({4}, 1);
  x.set_requires_grad();
  Tape tape;
  const Recording on(tape);
  for (auto _ : state) {
    Tensor y = x;
    for (int i = 0; i < kOps; ++i) y = mul(y, step);
    tape.backward(y, cotangent);
  }
  set_per_op(state);
}
BENCHMARK(recorded_and_backward_mul);

}  // namespace

BENCHMARK_MAIN();
