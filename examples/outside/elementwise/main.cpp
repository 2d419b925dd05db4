// A new elementwise operation: softsign(x) = x/(1 + |x|), whose derivative is 1/(1 + |x|)².
#include <fade/ops.h>
#include <fade/ops/elementwise/unary_cpu.h>

#include <cmath>
#include <cstdio>
#include <vector>

struct Softsign {
  static constexpr const char* name = "softsign";
  static constexpr fade::Saves saves = fade::Saves::input;
  FADE_HD auto forward(auto x) const { return x / (1 + std::abs(x)); }
  FADE_HD auto backward(auto g, auto x) const { return g / ((1 + std::abs(x)) * (1 + std::abs(x))); }
};
fade::Tensor softsign(const fade::Tensor& x) { return fade::unary_operation<Softsign>(x); }
const bool registered = fade::implement_unary_cpu<Softsign>();

int main() {
  fade::Tensor x = fade::Tensor::from(std::vector<double>{-3, -0.5, 1, 4}, {4});
  fade::gradcheck([](const std::vector<fade::Tensor>& in) { return softsign(in[0]); }, {x});
  for (const double y : softsign(x).to_vector<double>()) std::printf("%g ", y);
  std::printf("\n");
}
