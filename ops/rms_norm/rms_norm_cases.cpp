#include "ops/rms_norm/rms_norm.h"

#include <cmath>

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

Values normalised(const Values& x, const Values& weight, double eps) {
  const size_t width = weight.size();
  Values y(x.size());
  for (size_t row = 0; row < x.size(); row += width) {
    double mean = 0;
    for (size_t i = 0; i < width; ++i) mean += x[row + i] * x[row + i] / static_cast<double>(width);
    for (size_t i = 0; i < width; ++i) y[row + i] = x[row + i] / std::sqrt(mean + eps) * weight[i];
  }
  return y;
}

OpCase norm_case(const char* name, const Shape& shape, double eps = 1e-5) {
  const int64_t width = shape[-1];
  OpCase c{.name = fmt::format("rms_norm/{}", name),
           .inputs = {{shape, distinct_values(shape.numel())}, {{width}}},
           .run = [=](const Tensors& in) { return rms_norm(in[0], in[1], eps); },
           .reference = [=](const Arrays& in) { return normalised(in[0], in[1], eps); },
           .shape = shape,
           .saved_bytes = 8 * (shape.numel() / width)};
  if (shape.numel() > 0)
    c.wrong = {
        {"eps ten times too large", [=](const Tensors& in) { return rms_norm(in[0], in[1], 10 * eps); }}};
  return c;
}

// The first `heads` heads of `size` numbers of each row.
OpCase head_case(const char* name, const Shape& shape, int64_t size, int64_t heads) {
  const int64_t all = shape[-1] / size, rows = shape.numel() / shape[-1];
  OpCase c{.name = fmt::format("head_norm/{}", name),
           .inputs = {{shape, distinct_values(shape.numel())}, {{size}}},
           .run = [=](const Tensors& in) { return head_norm(in[0], in[1], heads); },
           .reference =
               [=](const Arrays& in) {
                 Values y = normalised(in[0], in[1], 1e-5);
                 for (size_t i = 0; i < y.size(); ++i)
                   if (static_cast<int64_t>(i) / size % all >= heads) y[i] = in[0][i];
                 return y;
               },
           .shape = shape,
           .saved_bytes = 8 * rows * heads};
  if (heads < all && rows > 0)
    c.wrong = {
        {"a head more is normalised", [=](const Tensors& in) { return head_norm(in[0], in[1], heads + 1); }}};
  return c;
}

// (Packs of two f64 reach from one head of three numbers into the next.)
[[maybe_unused]] const bool heads_added = add_cases(
    "rms_norm", {head_case("queries", {3, 8}, 4, 2), head_case("keys_beside_values", {2, 3, 16}, 4, 2),
                 head_case("odd", {5, 6}, 3, 1), head_case("no_rows", {0, 8}, 4, 1),
                 head_case("many_rows", {131, 18}, 6, 2), head_case("long", {3, 264}, 132, 1)});

[[maybe_unused]] const bool added = add_cases(
    "rms_norm", {norm_case("one_row", {7}), norm_case("rows", {3, 5}),
                 norm_case("three_dimensions", {2, 3, 11}), norm_case("large_eps", {3, 5}, 0.5),
                 norm_case("odd", {3, 67}), norm_case("no_rows", {0, 5}), norm_case("width_one", {3, 1}, 0.1),
                 norm_case("whole_vectors", {3, 64}), norm_case("many_rows", {131, 5}),
                 norm_case("long", {2, 1031}), norm_case("long_whole_vectors", {2, 1100})});

}  // namespace
}  // namespace fade::test
