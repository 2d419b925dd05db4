// Everything that runs on several threads, as a test and for ThreadSanitizer (preset tsan,
// scripts/sanitize.sh): the memory pools, parallel_for and its exceptions, and the kernels with dynamic
// scheduling. It needs only engine and ops, so that it builds quickly with another compiler.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>
#include <vector>

#include "engine/alloc.h"
#include "engine/parallel.h"
#include "engine/rng.h"
#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "ops/softmax/softmax.h"
#include "ops/span_attention/span_attention.h"

namespace fade::test {
namespace {

int failures = 0;

void check(bool ok, const char* what) {
  fmt::print("{} {}\n", ok ? "ok     " : "FAILED ", what);
  failures += !ok;
}

// Uniform in [low, low + 1).
Tensor random(const Shape& shape, uint64_t stream, double low = -0.5) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(low + uniform_f64({1, stream}, i));
  return Tensor::from(values, shape);
}

// Threads allocate and free blocks of all sizes, and pass them to each other.
void pools() {
  const int64_t before = memory_stats(Device::cpu).live;
  std::vector<std::vector<Tensor>> kept(4);
  const auto churn = [](std::vector<Tensor>& mine, uint64_t stream) {
    for (uint64_t i = 0; i < 2000; ++i) {
      const auto size = static_cast<int64_t>(uniform_f64({2, stream}, i) * 3000);
      mine.push_back(Tensor::full({size}, static_cast<double>(stream)));
      if (mine.size() > 20) mine.erase(mine.begin() + static_cast<int64_t>(i % 20));
    }
  };
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; ++t) threads.emplace_back(churn, std::ref(kept[t]), t);
    for (std::thread& t : threads) t.join();
    std::rotate(kept.begin(), kept.begin() + 1, kept.end());
  }
  kept.clear();
  check(memory_stats(Device::cpu).live == before, "pools: four threads free all they allocated");
}

// Each thread has its own tape and its own parameters; the input is shared.
void tapes() {
  const Tensor x = random({8, 8}, 3);
  std::vector<double> sums(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < sums.size(); ++t)
    threads.emplace_back([&, t] {
      const Tensor w = random({8, 8}, 4).set_requires_grad();
      const Recording on;
      backward(sum(matmul(x, w)));
      for (const float g : w.grad().to_vector<float>()) sums[t] += g;
    });
  for (std::thread& t : threads) t.join();
  check(std::ranges::all_of(sums, [&](double s) { return s == sums[0]; }), "tapes: one per thread");
}

void loops() {
  std::vector<int> seen(10'000);
  parallel_for(10'000, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) ++seen[static_cast<size_t>(i)];
  });
  check(std::accumulate(seen.begin(), seen.end(), 0) == 10'000, "parallel_for: every item once");
  int caught = 0;
  try {
    parallel_for(100, 1, [](int64_t, int64_t) { fail("every piece fails"); });
  } catch (const Error&) {
    ++caught;
  }
  check(caught == 1, "parallel_for: an exception of several threads arrives once");
  std::vector<int> alone(8);
  parallel_for(8, 1, [&](int64_t begin, int64_t end) {
    const OneThread one;
    for (int64_t i = begin; i < end; ++i) alone[static_cast<size_t>(i)] = threads();
  });
  check(std::ranges::all_of(alone, [](int n) { return n == 1; }),
        "OneThread: loops inside stay on their thread");
  check(threads() == 4, "OneThread: the rest of the program keeps its threads");
  std::vector<int64_t> sums(4);
  std::vector<std::thread> users;
  for (int64_t& sum : sums)
    users.emplace_back([&sum] {
      for (int i = 0; i < 200; ++i) {
        std::vector<int64_t> items(100);
        parallel_for(100, 1, [&](int64_t begin, int64_t end) {
          for (int64_t k = begin; k < end; ++k) items[static_cast<size_t>(k)] = k;
        });
        sum += std::accumulate(items.begin(), items.end(), int64_t{0});
      }
    });
  for (std::thread& user : users) user.join();
  check(std::ranges::all_of(sums, [](int64_t s) { return s == 200 * 4950; }),
        "parallel_for: loops of several threads at once");
}

// The kernels of a layer, forward and backward. Returns its output and the gradients of all inputs.
std::vector<float> layer() {
  constexpr int64_t streams = 3, block = 70, heads = 2, hidden = 32, memory = 90;
  constexpr int64_t rows = memory + streams * block;
  std::vector<int32_t> start{0, 20, 20, memory}, age;
  for (int32_t i = 0; i < memory; ++i) age.push_back(memory - i);
  for (int64_t b = 0; b < streams; ++b)
    for (int32_t i = 0; i < block; ++i) age.push_back(-i);
  const PackedRows packed{Tensor::from(start, {streams + 1}), Tensor::from(age, {rows}), streams, block,
                          memory};
  const Tensor x = random({streams * block, hidden}, 5).set_requires_grad();
  const Tensor kv = random({rows, 2 * hidden}, 6).set_requires_grad();
  const Tensor pos = random({block, hidden / heads}, 7).set_requires_grad();
  const Tensor span = random({rows}, 8, 60).set_requires_grad();
  const Tensor weight = random({hidden}, 9).set_requires_grad(),
               bias = random({hidden}, 10).set_requires_grad();
  const Recording on;
  const Tensor attended = span_attention(x, kv, pos, packed, SpanMask::expiring(span, 8), {.heads = heads});
  const Tensor y = layer_norm(matmul(attended, random({hidden, hidden}, 11)) + x, weight, bias);
  backward(sum(softmax(y) * random({streams * block, hidden}, 12)));
  std::vector<float> all = y.to_vector<float>();
  for (const Tensor& leaf : {x, kv, pos, span, weight, bias}) {
    const std::vector<float> g = leaf.grad().to_vector<float>();
    all.insert(all.end(), g.begin(), g.end());
  }
  return all;
}

void kernels() {
  const std::vector<float> first = layer();
  bool same = true;
  for (int i = 0; i < 10; ++i) same = same && layer() == first;
  check(same, "kernels: a layer repeats bit by bit");
  check(std::ranges::all_of(first, [](float x) { return std::isfinite(x); }), "kernels: finite numbers");
}

}  // namespace
}  // namespace fade::test

int main() {
  fade::set_threads(4);
  fade::test::pools();
  fade::test::tapes();
  fade::test::loops();
  fade::test::kernels();
  return fade::test::failures == 0 ? 0 : 1;
}
