#include "ops/layer_norm/layer_norm.h"

#include <cmath>

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

Values normalised(const Arrays& in, size_t width, double eps) {
  const auto& [x, weight, bias] = std::tie(in[0], in[1], in[2]);
  Values y(x.size());
  for (size_t row = 0; row < x.size(); row += width) {
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; ++i) mean += x[row + i] / static_cast<double>(width);
    for (size_t i = 0; i < width; ++i)
      variance += std::pow(x[row + i] - mean, 2) / static_cast<double>(width);
    for (size_t i = 0; i < width; ++i)
      y[row + i] = (x[row + i] - mean) / std::sqrt(variance + eps) * weight[i] + bias[i];
  }
  return y;
}

OpCase norm_case(const char* name, const Shape& shape, double eps = 1e-5) {
  const int64_t width = shape[-1], rows = width ? shape.numel() / width : 0;
  const bool flat = width == 1;  // a row of one is its own mean: only the bias is seen
  return {.name = fmt::format("layer_norm/{}", name),
          .inputs = {{.shape = shape, .fill = distinct_values(shape.numel()), .zero_gradient = flat},
                     {.shape = {width}, .zero_gradient = flat},
                     {{width}}},
          .run = [=](const Tensors& in) { return layer_norm(in[0], in[1], in[2], eps); },
          .reference = [=](const Arrays& in) { return normalised(in, static_cast<size_t>(width), eps); },
          .shape = shape,
          .saved_bytes = 2 * 8 * rows,
          .wrong = {{"eps ten times too large",
                     [=](const Tensors& in) { return layer_norm(in[0], in[1], in[2], 10 * eps); }}}};
}

// The same, of the sum of two inputs.
OpCase add_norm_case(const char* name, const Shape& shape) {
  OpCase c = norm_case(name, shape);
  c.name = fmt::format("add_layer_norm/{}", name);
  c.inputs.insert(c.inputs.begin(), {.shape = shape, .zero_gradient = c.inputs[0].zero_gradient});
  c.run = [](const Tensors& in) { return add_layer_norm(in[0], in[1], in[2], in[3]); };
  c.reference = [norm = c.reference](const Arrays& in) {
    Values sum = in[0];
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += in[1][i];
    return norm({sum, in[2], in[3]});
  };
  c.saved_bytes += 8 * shape.numel();
  c.wrong = {{"without the residual", [](const Tensors& in) { return layer_norm(in[0], in[2], in[3]); }}};
  return c;
}

std::vector<OpCase> cases() {
  std::vector<OpCase> all{norm_case("one_row", {7}),
                          norm_case("rows", {3, 5}),
                          norm_case("three_dimensions", {2, 3, 11}),
                          norm_case("large_eps", {3, 5}, 0.5),
                          norm_case("wide", {3, 67}),
                          norm_case("width_one", {3, 1}),
                          norm_case("no_rows", {0, 5}),
                          norm_case("whole_vectors", {3, 64}),
                          norm_case("many_rows_of_two_tiles", {131, 68}),
                          norm_case("long", {2, 1031}),
                          norm_case("long_whole_vectors", {2, 1100}),
                          add_norm_case("rows", {3, 5}),
                          add_norm_case("whole_vectors", {65, 64}),
                          add_norm_case("long", {2, 1031})};
  for (OpCase& c : all)
    if (c.shape.numel() == 0 || c.shape[-1] == 1) c.wrong.clear();  // eps is not seen there
  return all;
}

[[maybe_unused]] const bool added = add_cases("layer_norm", cases());

}  // namespace
}  // namespace fade::test
