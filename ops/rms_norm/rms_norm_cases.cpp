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
           .saved_bytes = 8 * (shape.numel() / width),
           .broadcasts = shape.dims() > 1 && shape.numel() > 0};
  if (shape.numel() > 0)
    c.wrong = {
        {"eps ten times too large", [=](const Tensors& in) { return rms_norm(in[0], in[1], 10 * eps); }}};
  return c;
}

[[maybe_unused]] const bool added = add_cases(
    "rms_norm", {norm_case("one_row", {7}), norm_case("rows", {3, 5}),
                 norm_case("three_dimensions", {2, 3, 11}), norm_case("large_eps", {3, 5}, 0.5),
                 norm_case("odd", {3, 67}), norm_case("no_rows", {0, 5}), norm_case("width_one", {3, 1}, 0.1),
                 norm_case("whole_vectors", {3, 64}), norm_case("many_rows", {131, 5}),
                 norm_case("long", {2, 1031}), norm_case("long_whole_vectors", {2, 1100})});

}  // namespace
}  // namespace fade::test
