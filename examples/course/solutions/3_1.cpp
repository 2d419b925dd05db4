// Chapter 3, exercise 1: attention with plain loops.
//
//   s_ij = q_i·k_j/sqrt(D)     a_ij = e^s_ij/Σ e^s_ij over the rows j < i     out_i = Σ a_ij·v_j
#include "engine/rng.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul.h"
#include "ops/softmax/softmax.h"

using namespace fade;

constexpr int64_t T = 5, D = 3;

Tensor random_rows(uint64_t stream) {
  std::vector<double> v;
  for (uint64_t i = 0; i < T * D; ++i) v.push_back(2 * uniform_f64({5, stream}, i) - 1);
  return values({1, 1, T, D}, v);
}

int main() {
  const Tensor q = random_rows(0), k = random_rows(1), v = random_rows(2);
  std::vector<double> sees;
  for (int64_t i = 0; i < T * T; ++i) sees.push_back(i % T < i / T ? 1 : 0);
  const Tensor scores = matmul(q, k, {.b = true}) * (1 / std::sqrt(D));
  const Tensor out = matmul(softmax_where(scores, values({1, T, T}, sees)), v);

  const double *qs = q.data<double>(), *ks = k.data<double>(), *vs = v.data<double>();
  for (int64_t i = 0; i < T; ++i) {
    double sum = 0, read[D] = {};
    for (int64_t j = 0; j < i; ++j) {
      double s = 0;
      for (int64_t d = 0; d < D; ++d) s += qs[i * D + d] * ks[j * D + d];
      const double u = std::exp(s / std::sqrt(D));
      sum += u;
      for (int64_t d = 0; d < D; ++d) read[d] += u * vs[j * D + d];
    }
    bool equal = true;
    for (int64_t d = 0; d < D; ++d)
      equal = equal && close(out.data<double>()[i * D + d], sum > 0 ? read[d] / sum : 0);
    expect(equal, fmt::format("query {}", i));
  }
}
