// Chapter 3, exercise 2: two heads.
//
// Head h uses columns [h·D, (h + 1)·D) of the rows. reshape and permute bring the heads next to the streams,
// where matmul and softmax_where treat them as one more batch.
#include "engine/rng.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/softmax/softmax.h"

using namespace fade;

constexpr int64_t T = 5, K = 2, D = 3, H = K * D;

Tensor random_rows(uint64_t stream) {
  std::vector<double> v;
  for (uint64_t i = 0; i < T * H; ++i) v.push_back(2 * uniform_f64({6, stream}, i) - 1);
  return values({T, H}, v);
}

// q, k, v [1, heads, T, D'] -> [1, heads, T, D'].
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v) {
  std::vector<double> sees;
  for (int64_t i = 0; i < T * T; ++i) sees.push_back(i % T < i / T ? 1 : 0);
  const Tensor scores = matmul(q, k, {.b = true}) * (1 / std::sqrt(q.size(-1)));
  return matmul(softmax_where(scores, values({1, T, T}, sees)), v);
}

int main() {
  const Tensor q = random_rows(0), k = random_rows(1), v = random_rows(2);  // [T, H]
  const auto split = [](const Tensor& x) { return permute(reshape(x, {1, T, K, D}), {0, 2, 1, 3}); };
  const Tensor both = attend(split(q), split(k), split(v));  // [1, K, T, D]
  const Tensor joined = reshape(permute(both, {0, 2, 1, 3}), {T, H});

  for (int64_t h = 0; h < K; ++h) {
    const auto head = [h](const Tensor& x) { return reshape(slice(x, 1, h * D, (h + 1) * D), {1, 1, T, D}); };
    const Tensor alone = attend(head(q), head(k), head(v));
    bool equal = true;
    for (int64_t i = 0; i < T * D; ++i)
      equal = equal && close(alone.data<double>()[i], joined.data<double>()[i / D * H + h * D + i % D]);
    expect(equal, fmt::format("head {} alone gives columns {} to {}", h, h * D, (h + 1) * D - 1));
  }
}
