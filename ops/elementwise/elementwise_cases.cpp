#include "ops/elementwise/elementwise.h"

#include <cmath>

#include "ops/layout/layout.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

using Binary = double (*)(double, double);
using Unary = double (*)(double);

// The index of the element of an operand of shape `s` from which element i of the result is computed.
size_t operand_index(const Shape& s, const Shape& result, size_t i) {
  int64_t at = 0, step = 1, rest = static_cast<int64_t>(i);
  for (int d = 1; d <= result.dims(); ++d) {
    const int64_t k = rest % result[-d];
    rest /= result[-d];
    if (d > s.dims()) continue;
    if (s[-d] != 1) at += k * step;
    step *= s[-d];
  }
  return static_cast<size_t>(at);
}

OpCase binary_case(const std::string& name, Run run, Binary f, const Shape& a, const Shape& b,
                   const Shape& result) {
  const Fill away_from_zero = uniform_values(0.8, 2.5);  // div divides by b
  return {.name = name,
          .inputs = {{a}, {b, away_from_zero}},
          .run = std::move(run),
          .reference =
              [=](const Arrays& in) {
                Values y(static_cast<size_t>(result.numel()));
                for (size_t i = 0; i < y.size(); ++i)
                  y[i] = f(in[0][operand_index(a, result, i)], in[1][operand_index(b, result, i)]);
                return y;
              },
          .shape = result,
          .broadcasts = result.numel() > 0 && (a.numel() < result.numel() || b.numel() < result.numel())};
}

std::vector<OpCase> binary_cases() {
  const struct {
    const char* name;
    Run run;
    Binary f;
  } operations[] = {
      {"add", [](const Tensors& in) { return in[0] + in[1]; }, [](double a, double b) { return a + b; }},
      {"sub", [](const Tensors& in) { return in[0] - in[1]; }, [](double a, double b) { return a - b; }},
      {"mul", [](const Tensors& in) { return in[0] * in[1]; }, [](double a, double b) { return a * b; }},
      {"div", [](const Tensors& in) { return in[0] / in[1]; }, [](double a, double b) { return a / b; }},
  };
  const struct {
    const char* name;
    Shape a, b, result;
  } patterns[] = {
      {"one", {1}, {1}, {1}},
      {"no_dimensions", {}, {}, {}},
      {"empty", {0, 3}, {3}, {0, 3}},
      {"same", {3, 5}, {3, 5}, {3, 5}},
      {"broadcast_rows", {3, 5}, {5}, {3, 5}},
      {"broadcast_columns", {3, 5}, {3, 1}, {3, 5}},
      {"broadcast_a", {5}, {2, 3, 5}, {2, 3, 5}},
      {"broadcast_scalar", {7}, {}, {7}},
      {"outer", {3, 1}, {1, 5}, {3, 5}},
      {"broadcast_middle", {2, 1, 3, 1}, {5, 1, 2}, {2, 5, 3, 2}},
      {"large", {73, 307}, {73, 307}, {73, 307}},
      {"large_rows", {73, 307}, {307}, {73, 307}},
      {"packed_rows", {3, 8}, {8}, {3, 8}},
      {"packed_columns", {3, 1}, {3, 8}, {3, 8}},
      {"packed_middle", {2, 1, 3, 4}, {5, 1, 4}, {2, 5, 3, 4}},
      {"packed_scalar", {8}, {}, {8}},
  };
  std::vector<OpCase> cases;
  for (const auto& op : operations)
    for (const auto& p : patterns)
      cases.push_back(binary_case(fmt::format("{}/{}", op.name, p.name), op.run, op.f, p.a, p.b, p.result));
  return cases;
}

std::vector<OpCase> unary_cases() {
  const struct {
    const char* name;
    Run run;
    Unary f;
    Fill fill;
    bool saves_output;
  } operations[] = {
      {"neg", [](const Tensors& in) { return -in[0]; }, [](double x) { return -x; }, uniform_values(-2, 2),
       false},
      {"scale", [](const Tensors& in) { return -1.7 * in[0]; }, [](double x) { return -1.7 * x; },
       uniform_values(-2, 2), false},
      {"relu", [](const Tensors& in) { return relu(in[0]); }, [](double x) { return x > 0 ? x : 0.0; },
       uniform_values(-1, 2, {0}), true},
      {"gelu", [](const Tensors& in) { return gelu(in[0]); },
       [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }, uniform_values(-3, 3), false},
      {"sigmoid", [](const Tensors& in) { return sigmoid(in[0]); },
       [](double x) { return 1 / (1 + std::exp(-x)); }, uniform_values(-4, 4), true},
      {"tanh", [](const Tensors& in) { return tanh(in[0]); },
       [](double x) { return (std::exp(2 * x) - 1) / (std::exp(2 * x) + 1); }, uniform_values(-2, 2), true},
      {"exp", [](const Tensors& in) { return exp(in[0]); }, [](double x) { return std::exp(x); },
       uniform_values(-2, 2), true},
      {"log", [](const Tensors& in) { return log(in[0]); }, [](double x) { return std::log(x); },
       uniform_values(0.7, 4), false},
      {"clamp", [](const Tensors& in) { return clamp(in[0], -0.5, 0.75); },
       [](double x) { return std::fmin(std::fmax(x, -0.5), 0.75); }, uniform_values(-1, 1, {-0.5, 0.75}),
       false},
  };
  const struct {
    const char* name;
    Shape shape;
  } shapes[] = {
      {"no_dimensions", {}}, {"empty", {2, 0}}, {"odd", {7}}, {"three", {2, 3, 5}}, {"large", {73, 307}}};
  std::vector<OpCase> cases;
  for (const auto& op : operations)
    for (const auto& s : shapes)
      // The single number is a value at which no rule gives 0.
      cases.push_back({.name = fmt::format("{}/{}", op.name, s.name),
                       .inputs = {{s.shape, s.shape.dims() == 0 ? these({0.7}) : op.fill}},
                       .run = op.run,
                       .reference =
                           [f = op.f](const Arrays& in) {
                             Values y;
                             for (const double x : in[0]) y.push_back(f(x));
                             return y;
                           },
                       .shape = s.shape,
                       .saved_bytes = op.saves_output ? 8 * s.shape.numel() : 0});
  return cases;
}

// Rows 1 to 3 of a matrix: a view whose first element is not aligned for vectors.
OpCase view_case(const char* name, const std::function<Tensor(const Tensor&)>& f, Unary of_one) {
  return {.name = fmt::format("{}/of_a_view", name),
          .inputs = {{{4, 7}, uniform_values(0.7, 2)}},
          .run = [=](const Tensors& in) { return f(slice(in[0], 0, 1, 4)); },
          .reference =
              [=](const Arrays& in) {
                Values y(in[0].begin() + 7, in[0].end());
                for (double& v : y) v = of_one(v);
                return y;
              },
          .shape = {3, 7},
          .saved_bytes = std::string(name) == "exp" ? 8 * 3 * 7 : 0};
}

std::vector<OpCase> view_cases() {
  return {view_case("exp", exp, [](double x) { return std::exp(x); }),
          view_case("log", log, [](double x) { return std::log(x); }),
          view_case(
              "mul", [](const Tensor& x) { return x * x; }, [](double x) { return x * x; })};
}

[[maybe_unused]] const bool added = add_cases("elementwise", binary_cases()) &&
                                    add_cases("elementwise", unary_cases()) &&
                                    add_cases("elementwise", view_cases());

}  // namespace
}  // namespace fade::test
