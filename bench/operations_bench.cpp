// Times every test case of the operations: forward alone, and forward with backward, in f32 on the CPU. The
// sizes are those of the tests (the "large" variants are large enough for threads and vectors);
// bench/span_attention_bench.cpp has the sizes of a model.
//
//   build/bench/operations_bench --benchmark_filter=softmax
#include <benchmark/benchmark.h>

#include "engine/tape.h"
#include "tests/ops/op_case.h"

namespace {

using namespace fade;

void forward(benchmark::State& state, const test::OpCase* c) {
  const auto inputs = test::input_tensors(*c, test::input_values(*c), DType::f32, Device::cpu);
  for (auto _ : state) benchmark::DoNotOptimize(c->run(inputs));
}

void forward_backward(benchmark::State& state, const test::OpCase* c) {
  const auto inputs = test::input_tensors(*c, test::input_values(*c), DType::f32, Device::cpu);
  const Tensor cotangent = Tensor::full(c->shape, 1);
  Tape tape;
  for (auto _ : state) {
    const Recording on(tape);
    tape.backward(c->run(inputs), cotangent);
  }
}

}  // namespace

int main(int argc, char** argv) {
  for (const test::OpCase& c : test::op_cases()) {
    if (c.shape.numel() == 0) continue;
    benchmark::RegisterBenchmark((c.name + "/forward").c_str(), forward, &c);
    benchmark::RegisterBenchmark((c.name + "/forward_backward").c_str(), forward_backward, &c);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
