// Chapter 6, exercise 3: the gradient of every span from out and lse alone; each weight is computed
// again and forgotten at once.
#include "ops/span_attention/naive.h"

#include "examples/course/attention_inputs.h"
#include "examples/course/course.h"

using namespace fade;
using Vector = std::vector<double>;

constexpr int M = 32, L = 96, D = 8, R = 8;

double dot(const double* a, const double* b) { return std::inner_product(a, a + D, b, 0.0); }

/// The score of row j for query i, and its mask.
struct Pair {
  double s, m;
};
Pair pair(const NaiveInputs& in, int i, int j) {
  const double r = in.span[j] - (in.age[j] + i);
  return {dot(&in.q[i * D], &in.kv[j * 2 * D]) / std::sqrt(double{D}),
          in.age[j] + i < 1 ? 0 : std::clamp(r / R + 1, 0., 1.)};
}

int main() {
  const NaiveInputs in = attention_inputs(M, L, D, R, [](double u) { return 128 * u; });
  Vector grad(M * D);
  for (size_t i = 0; i < grad.size(); ++i) grad[i] = 2 * uniform_f64({1, 3}, i) - 1;
  const NaiveResult naive = naive_span_attention(in, grad);

  // Forward leaves two things: out (taken from naive here) and lse.
  Vector lse(M);
  for (int i = 0; i < M; ++i) {
    double N = 0, Z = 0;  // small scores: no maximum is needed here
    for (int j = 0; j < L; ++j)
      if (const auto [s, m] = pair(in, i, j); m > 0) Z += std::exp(s), N += m * std::exp(s);
    lse[i] = std::log(N + 1e-8 * Z);  // F7
  }

  // Backward.
  Vector dspan(L);
  for (int i = 0; i < M; ++i) {
    const double delta = dot(&grad[i * D], &naive.out[i * D]);  // B1
    for (int j = 0; j < L; ++j) {
      const auto [s, m] = pair(in, i, j);
      const double r = in.span[j] - (in.age[j] + i);
      if (m == 0 || r > 0) continue;                               // expired, not there yet, or seen in full
      const double U = std::exp(s - lse[i]);                       // B2
      const double dP = dot(&grad[i * D], &in.kv[j * 2 * D + D]);  // B4
      dspan[j] += U * (dP - delta) / R;                            // B5, B11
    }
  }

  double most = 0, largest = 0;
  for (int j = 0; j < L; ++j) {
    most = std::max(most, std::abs(dspan[j] - naive.dspan[j]));
    largest = std::max(largest, std::abs(dspan[j]));
  }
  expect(largest > 0.01, "spans have gradients");
  expect(most < 1e-12, "they are those of naive.h");
}
