#include "ops/elementwise/elementwise.h"

#include <cmath>

#include "ops/layout/layout.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

using Binary = double (*)(double, double);
using Unary = double (*)(double);

// Multiples of 1/4 between −1 and 1: some elements of two arrays are equal, all others far apart. (Central
// differences of the minimum of equals give half the slope, as its gradient rule does.)
double with_ties(int64_t i, double u) {
  return static_cast<double>((i + static_cast<int64_t>(3 * u)) % 9) / 4 - 1;
}

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

const struct {
  const char* name;
  Shape a, b, result;
} kPatterns[] = {
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

OpCase binary_case(const std::string& name, const Run& run, Binary f, const Input& a, const Input& b,
                   const Shape& result) {
  return {.name = name,
          .inputs = {a, b},
          .run = run,
          .reference =
              [=](const Arrays& in) {
                Values y(static_cast<size_t>(result.numel()));
                for (size_t i = 0; i < y.size(); ++i)
                  y[i] =
                      f(in[0][operand_index(a.shape, result, i)], in[1][operand_index(b.shape, result, i)]);
                return y;
              },
          .shape = result,
          .broadcasts = a.role == Role::differentiable && result.numel() > 0 &&
                        (a.shape.numel() < result.numel() || b.shape.numel() < result.numel())};
}

std::vector<OpCase> binary_cases() {
  const Fill any = uniform_values(-2, 2), positive = uniform_values(0.8, 2.5);
  const struct {
    const char* name;
    Run run;
    Binary f;
    Fill a, b;
  } operations[] = {
      {"add", [](const Tensors& in) { return in[0] + in[1]; }, [](double a, double b) { return a + b; }, any,
       any},
      {"sub", [](const Tensors& in) { return in[0] - in[1]; }, [](double a, double b) { return a - b; }, any,
       any},
      {"mul", [](const Tensors& in) { return in[0] * in[1]; }, [](double a, double b) { return a * b; }, any,
       positive},
      {"div", [](const Tensors& in) { return in[0] / in[1]; }, [](double a, double b) { return a / b; }, any,
       positive},
      {"pow", [](const Tensors& in) { return pow(in[0], in[1]); },
       [](double a, double b) { return std::exp(b * std::log(a)); }, positive, any},
      {"minimum", [](const Tensors& in) { return minimum(in[0], in[1]); },
       [](double a, double b) { return std::fmin(a, b); }, with_ties, with_ties},
      {"maximum", [](const Tensors& in) { return maximum(in[0], in[1]); },
       [](double a, double b) { return std::fmax(a, b); }, with_ties, with_ties},
  };
  std::vector<OpCase> cases;
  for (const auto& op : operations)
    for (const auto& p : kPatterns) {
      // A single number has no part in the minimum if it is the larger one.
      const Fill a = p.result.numel() == 1 ? these({0.5}) : op.a, b = p.b.numel() == 1 ? these({0.5}) : op.b;
      cases.push_back(
          binary_case(fmt::format("{}/{}", op.name, p.name), op.run, op.f, {p.a, a}, {p.b, b}, p.result));
    }
  return cases;
}

// Comparisons of two tensors, and of a tensor with a number. Some elements are equal: there is no gradient
// that differences would have to agree with.
std::vector<OpCase> comparison_cases() {
  const struct {
    const char* name;
    Run run, with_number, wrong;
    Binary f;
  } operations[] = {
      {"less", [](const Tensors& in) { return less(in[0], in[1]); },
       [](const Tensors& in) { return less(in[0], 0.25); },
       [](const Tensors& in) { return less_equal(in[0], in[1]); },
       [](double a, double b) { return a < b ? 1.0 : 0; }},
      {"less_equal", [](const Tensors& in) { return less_equal(in[0], in[1]); },
       [](const Tensors& in) { return less_equal(in[0], 0.25); },
       [](const Tensors& in) { return less(in[0], in[1]); },
       [](double a, double b) { return a <= b ? 1.0 : 0; }},
      {"greater", [](const Tensors& in) { return greater(in[0], in[1]); },
       [](const Tensors& in) { return greater(in[0], 0.25); },
       [](const Tensors& in) { return less(in[0], in[1]); },
       [](double a, double b) { return a > b ? 1.0 : 0; }},
      {"greater_equal", [](const Tensors& in) { return greater_equal(in[0], in[1]); },
       [](const Tensors& in) { return greater_equal(in[0], 0.25); },
       [](const Tensors& in) { return greater(in[0], in[1]); },
       [](double a, double b) { return a >= b ? 1.0 : 0; }},
      {"equal", [](const Tensors& in) { return equal(in[0], in[1]); },
       [](const Tensors& in) { return equal(in[0], 0.25); },
       [](const Tensors& in) { return greater_equal(in[0], in[1]); },
       [](double a, double b) { return a == b ? 1.0 : 0; }},
      {"not_equal", [](const Tensors& in) { return not_equal(in[0], in[1]); },
       [](const Tensors& in) { return not_equal(in[0], 0.25); },
       [](const Tensors& in) { return greater(in[0], in[1]); },
       [](double a, double b) { return a != b ? 1.0 : 0; }},
  };
  std::vector<OpCase> cases;
  for (const auto& op : operations) {
    for (const auto& p : kPatterns)
      cases.push_back(binary_case(fmt::format("{}/{}", op.name, p.name), op.run, op.f,
                                  {p.a, with_ties, Role::constant}, {p.b, with_ties, Role::constant},
                                  p.result));
    for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{7}, Shape{73, 307}})
      cases.push_back(binary_case(fmt::format("{}/number_and_{}", op.name, shape.str()), op.with_number, op.f,
                                  {shape, with_ties, Role::constant}, {{}, these({0.25}), Role::constant},
                                  shape));
    for (OpCase& c : cases)
      if (c.name == fmt::format("{}/large", op.name)) c.wrong = {{"another comparison", op.wrong}};
  }
  return cases;
}

double even_places(int64_t i, double u) { return i % 2 == 0 ? u + 0.1 : 0; }

OpCase where_case(const char* name, const Shape& condition, const Shape& a, const Shape& b,
                  const Shape& result) {
  const bool single = result.numel() == 1;
  return {.name = fmt::format("where/{}", name),
          .inputs = {{condition, even_places, Role::constant}, {a}, {.shape = b, .zero_gradient = single}},
          .run = [](const Tensors& in) { return where(in[0], in[1], in[2]); },
          .reference =
              [=](const Arrays& in) {
                Values y(static_cast<size_t>(result.numel()));
                for (size_t i = 0; i < y.size(); ++i)
                  y[i] = in[0][operand_index(condition, result, i)] != 0 ? in[1][operand_index(a, result, i)]
                                                                         : in[2][operand_index(b, result, i)];
                return y;
              },
          .shape = result,
          .broadcasts = a != b,
          .wrong = {{"sides swapped", [](const Tensors& in) { return where(in[0], in[2], in[1]); }}}};
}

OpCase where_number_case(const char* name, const Run& run, double (*f)(double condition, double x)) {
  return {.name = fmt::format("where/{}", name),
          .inputs = {{{3, 5}, even_places, Role::constant}, {{3, 5}}},
          .run = run,
          .reference =
              [=](const Arrays& in) {
                Values y;
                for (size_t i = 0; i < in[0].size(); ++i) y.push_back(f(in[0][i], in[1][i]));
                return y;
              },
          .shape = {3, 5}};
}

std::vector<OpCase> where_cases() {
  return {
      where_case("one", {1}, {1}, {1}, {1}),
      where_case("no_dimensions", {}, {}, {}, {}),
      where_case("same", {3, 5}, {3, 5}, {3, 5}, {3, 5}),
      where_case("condition_of_rows", {3, 1}, {3, 5}, {3, 5}, {3, 5}),
      where_case("large_condition", {2, 3, 5}, {3, 5}, {5}, {2, 3, 5}),
      where_case("all_different", {2, 1, 1}, {3, 1}, {5}, {2, 3, 5}),
      where_case("packed", {8}, {3, 8}, {3, 1}, {3, 8}),
      where_case("packed_scalar", {3, 8}, {}, {3, 8}, {3, 8}),
      where_case("large", {73, 307}, {73, 307}, {73, 307}, {73, 307}),
      where_number_case(
          "number_else", [](const Tensors& in) { return where(in[0], in[1], 0.5); },
          [](double condition, double x) { return condition != 0 ? x : 0.5; }),
      where_number_case(
          "number_first", [](const Tensors& in) { return where(in[0], 2, in[1]); },
          [](double condition, double x) { return condition != 0 ? 2 : x; }),
  };
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
      {"silu", [](const Tensors& in) { return silu(in[0]); }, [](double x) { return x / (1 + std::exp(-x)); },
       uniform_values(-4, 4), false},
      {"softplus", [](const Tensors& in) { return softplus(in[0]); },
       [](double x) { return std::log(1 + std::exp(x)); }, uniform_values(-4, 4), false},
      {"tanh", [](const Tensors& in) { return tanh(in[0]); },
       [](double x) { return (std::exp(2 * x) - 1) / (std::exp(2 * x) + 1); }, uniform_values(-2, 2), true},
      {"exp", [](const Tensors& in) { return exp(in[0]); }, [](double x) { return std::exp(x); },
       uniform_values(-2, 2), true},
      {"log", [](const Tensors& in) { return log(in[0]); }, [](double x) { return std::log(x); },
       uniform_values(0.7, 4), false},
      {"clamp", [](const Tensors& in) { return clamp(in[0], -0.5, 0.75); },
       [](double x) { return std::fmin(std::fmax(x, -0.5), 0.75); }, uniform_values(-1, 1, {-0.5, 0.75}),
       false},
      {"sqrt", [](const Tensors& in) { return sqrt(in[0]); }, [](double x) { return std::sqrt(x); },
       uniform_values(0.7, 4), true},
      {"rsqrt", [](const Tensors& in) { return rsqrt(in[0]); }, [](double x) { return 1 / std::sqrt(x); },
       uniform_values(0.7, 4), true},
      {"abs", [](const Tensors& in) { return abs(in[0]); }, [](double x) { return x < 0 ? -x : x; },
       uniform_values(-2, 2, {0}), false},
      {"square", [](const Tensors& in) { return pow(in[0], 2); }, [](double x) { return x * x; },
       uniform_values(-2, 2), false},
      {"cube", [](const Tensors& in) { return pow(in[0], 3); }, [](double x) { return x * x * x; },
       uniform_values(-2, 2), false},
      {"pow_number", [](const Tensors& in) { return pow(in[0], -1.5); },
       [](double x) { return std::exp(-1.5 * std::log(x)); }, uniform_values(0.8, 3), false},
      {"number_pow", [](const Tensors& in) { return pow(0.4, in[0]); },
       [](double x) { return std::exp(std::log(0.4) * x); }, uniform_values(-2, 2), false},
      {"add_number", [](const Tensors& in) { return in[0] + 0.3; }, [](double x) { return x + 0.3; },
       uniform_values(-2, 2), false},
      {"number_add", [](const Tensors& in) { return 3 + in[0]; }, [](double x) { return 3 + x; },
       uniform_values(-2, 2), false},
      {"sub_number", [](const Tensors& in) { return in[0] - 3; }, [](double x) { return x - 3; },
       uniform_values(-2, 2), false},
      {"number_sub", [](const Tensors& in) { return 0.3 - in[0]; }, [](double x) { return 0.3 - x; },
       uniform_values(-2, 2), false},
      {"div_number", [](const Tensors& in) { return in[0] / 3; }, [](double x) { return x / 3; },
       uniform_values(-2, 2), false},
      {"number_div", [](const Tensors& in) { return 3 / in[0]; }, [](double x) { return 3 / x; },
       uniform_values(0.8, 2.5), false},
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

OpCase sign_case(const Shape& shape) {
  return {.name = fmt::format("sign/{}", shape.str()),
          .inputs = {{shape, with_ties, Role::constant}},
          .run = [](const Tensors& in) { return sign(in[0]); },
          .reference =
              [](const Arrays& in) {
                Values y;
                for (const double x : in[0]) y.push_back(x < 0 ? -1 : x > 0 ? 1 : 0);
                return y;
              },
          .shape = shape};
}

[[maybe_unused]] const bool added =
    add_cases("elementwise", binary_cases()) && add_cases("elementwise", unary_cases()) &&
    add_cases("elementwise", view_cases()) && add_cases("elementwise", comparison_cases()) &&
    add_cases("elementwise", where_cases()) &&
    add_cases("elementwise", {sign_case({}), sign_case({0, 3}), sign_case({7}), sign_case({73, 307})});

}  // namespace
}  // namespace fade::test
