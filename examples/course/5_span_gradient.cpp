// Chapter 5: one span's gradient, by hand and from the tape. docs/course/5_span_gradient.md
#include <algorithm>

#include "engine/observe.h"
#include "examples/course/course.h"
#include "ops/elementwise/elementwise.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/reduce/reduce.h"
#include "ops/span_loss/span_loss.h"

using namespace fade;

// Three tokens. The last one looks back at the first (row 0, distance 2) and the second (row 1, distance 1).
const double S = 4, price = 0.1;
const int M = 1, R = 2;
const double e[2] = {1.5, 3}, distance[2] = {2, 1}, a[2] = {0.6, 0.4}, v[2] = {2, -1};

void by_hand() {
  double r[2], m[2], w[2], den = 0, G = 0;
  for (int j = 0; j < 2; ++j) {
    r[j] = e[j] - distance[j];                // remaining span
    m[j] = std::clamp(r[j] / R + 1, 0., 1.);  // soft mask
    den += a[j] * m[j];
  }
  for (int j = 0; j < 2; ++j) {
    w[j] = a[j] * m[j] / den;  // attention weight after fading
    G += v[j] * w[j];          // the loss is Σ w v, so g = dloss/dw = v, and G is its mean under w
  }
  fmt::print("den {:.6f}  G {:.6f}\n", den, G);
  for (int j = 0; j < 2; ++j) {
    const double dm = a[j] * (v[j] - G) / den;
    fmt::print("row {}: r {:.6f}  m {:.6f}  w {:.6f}  dm {:.6f}\n", j, r[j], m[j], w[j], dm);
    if (r[j] < -R || r[j] > 0) {
      fmt::print("  off its ramp: de 0\n");
      continue;
    }
    const double direct = a[j] * v[j] / den / R;         // more of this row; dm/de = 1/R
    const double renormalisation = -a[j] * G / den / R;  // and less of all rows
    const double auxiliary = price / (R * M);            // the price of memory
    const double de = direct + renormalisation + auxiliary;
    const double slope = e[j] * (1 - e[j] / S);  // de/dz of e = S·sigmoid(z)
    fmt::print("  direct {:.6f}  renormalisation {:.6f}", direct, renormalisation);
    fmt::print("  auxiliary {:.6f}\n", auxiliary);
    fmt::print("  de {:.6f}  slope of the sigmoid {:.6f}  dz {:.6f}\n", de, slope, de * slope);
  }
}

/// Prints each gradient as the tape computes it, newest operation first.
struct Printer : TapeObserver {
  void on_output(const OpDef&, size_t, const Tensor&, std::initializer_list<const Tensor*>) override {}
  void on_gradient(const OpDef& op, size_t, int input, const Tensor& gradient) override {
    fmt::print("{:<13} input {}:", op.name, input);
    for (const double g : gradient.to_vector<double>()) fmt::print("  {:.6f}", g);
    fmt::print("\n");
  }
};

int main() {
  fmt::print("-- by hand\n");
  by_hand();

  const double logits[2] = {std::log(e[0] / (S - e[0])), std::log(e[1] / (S - e[1]))};
  const Tensor z = values({1, 2}, {logits[0], logits[1]}).set_requires_grad();
  const Tensor age = Tensor::from(std::vector<int32_t>{2, 1}, {1, 2});

  Tape tape;
  const Recording on(tape);
  const Tensor span = sigmoid(z) * S;                                        // [B, L]
  const Tensor mask = expire_mask(span, age, M, R);                          // [B, M, L]
  const Tensor w = masked_renorm(values({1, 1, 1, 2}, {a[0], a[1]}), mask);  // [B, K, M, L]
  const Tensor attention = sum(w * values({1, 1, 1, 2}, {v[0], v[1]}));      // []
  const Tensor loss = attention + span_loss(span, age, M, R, price);         // []
  fmt::print("-- from the tape: loss {:.6f}\n", loss.item());
  Printer printer;
  const Observing observing(tape, printer);
  backward(loss);
  fmt::print("dz of row 1 is exactly 0: {}\n", z.grad().to_vector<double>()[1] == 0 ? "yes" : "no");
}
