#include "ops/losses/losses.h"

#include <cmath>

#include "ops/elementwise/elementwise.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

using Loss = double (*)(double x, double t);

double squared(double x, double t) { return (x - t) * (x - t); }
double binary(double x, double t) { return t * std::log1p(std::exp(-x)) + (1 - t) * std::log1p(std::exp(x)); }

OpCase loss_case(const std::string& name, Tensor (*f)(const Tensor&, const Tensor&), Loss loss,
                 const Shape& shape, const Input& x, const Input& target) {
  return {.name = name,
          .inputs = {x, target},
          .run = [=](const Tensors& in) { return f(in[0], in[1]); },
          .reference =
              [=](const Arrays& in) {
                double sum = 0;
                for (size_t i = 0; i < in[0].size(); ++i) sum += loss(in[0][i], in[1][i]);
                return Values{sum / static_cast<double>(in[0].size())};
              },
          .shape = {},
          .saved_bytes = loss == squared ? 8 * shape.numel() : 0};
}

OpCase mse_case(const char* name, const Shape& shape) {
  return loss_case(fmt::format("mse_loss/{}", name), mse_loss, squared, shape, {shape}, {shape});
}

OpCase binary_case(const char* name, const Shape& shape, double range) {
  return loss_case(fmt::format("binary_cross_entropy_with_logits/{}", name), binary_cross_entropy_with_logits,
                   binary, shape, {shape, uniform_values(-range, range)}, {shape, uniform_values(0, 1)});
}

OpCase with_a_wrong_sum(OpCase c) {
  c.wrong = {{"the sum instead of the mean", [run = c.run](const Tensors& in) {
                return scale(run(in), static_cast<double>(in[0].numel()));
              }}};
  return c;
}

[[maybe_unused]] const bool added = add_cases(
    "losses", {mse_case("number", {}), mse_case("one", {1}), with_a_wrong_sum(mse_case("rows", {3, 5})),
               mse_case("long", {2, 1031}), binary_case("number", {}, 2), binary_case("one", {1}, 2),
               with_a_wrong_sum(binary_case("rows", {3, 5}, 2)), binary_case("far_apart", {3, 5}, 15),
               binary_case("long", {2, 1031}, 3)});

}  // namespace
}  // namespace fade::test
