#include "ops/conv1d/conv1d.h"

#include <algorithm>

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// x [B, C, L], weight [O, C/groups, K]; the bias may be left out.
struct Layer {
  Shape x, weight;
  Conv1dOptions options = {};
  bool bias = true;
};

Values convolved(const Layer& l, const Shape& result, const Arrays& in) {
  const auto [stride, padding, dilation, groups] = l.options;
  const auto& [x, weight] = std::tie(in[0], in[1]);
  Values y;
  for (int64_t b = 0; b < result[0]; ++b) {
    for (int64_t o = 0; o < result[1]; ++o) {
      for (int64_t t = 0; t < result[2]; ++t) {
        double sum = l.bias ? in[2][static_cast<size_t>(o)] : 0;
        for (int64_t c = 0; c < l.weight[1]; ++c) {
          const int64_t channel = o / (l.weight[0] / groups) * l.weight[1] + c;
          for (int64_t k = 0; k < l.weight[2]; ++k) {
            const int64_t at = t * stride - padding + k * dilation;
            if (at < 0 || at >= l.x[2]) continue;
            sum += weight[static_cast<size_t>(offset(l.weight, {o, c, k}))] *
                   x[static_cast<size_t>(offset(l.x, {b, channel, at}))];
          }
        }
        y.push_back(sum);
      }
    }
  }
  return y;
}

// Each kernel from its end.
Tensor reversed(const Tensor& weight) {
  Values values = weight.to_vector<double>();
  for (auto k = values.begin(); k != values.end(); k += weight.size(2)) std::reverse(k, k + weight.size(2));
  return Tensor::from(values, weight.shape());
}

OpCase conv_case(const char* name, const Layer& l, int64_t windows) {
  const Shape result{l.x[0], l.weight[0], windows};
  OpCase c{
      .name = fmt::format("conv1d/{}", name),
      .inputs = {{l.x}, {l.weight}},
      .run = [=](const Tensors& in) { return conv1d(in[0], in[1], l.bias ? in[2] : Tensor{}, l.options); },
      .reference = [=](const Arrays& in) { return convolved(l, result, in); },
      .shape = result};
  if (l.bias) c.inputs.push_back({{l.weight[0]}});
  if (l.weight[2] > 1 && l.x[2] > 1 && result.numel() > 0)
    c.wrong = {{"the kernel reversed", [=](const Tensors& in) {
                  return conv1d(in[0], reversed(in[1]), l.bias ? in[2] : Tensor{}, l.options);
                }}};
  return c;
}

[[maybe_unused]] const bool added = add_cases(
    "conv1d",
    {conv_case("plain", {{2, 3, 7}, {4, 3, 3}}, 5),
     conv_case("without_bias", {{2, 3, 7}, {4, 3, 3}, {}, false}, 5),
     conv_case("one", {{1, 1, 1}, {1, 1, 1}}, 1), conv_case("kernel_of_one", {{2, 3, 5}, {2, 3, 1}}, 5),
     conv_case("padded", {{2, 3, 5}, {2, 3, 3}, {.padding = 2}}, 7),
     conv_case("only_by_padding", {{2, 2, 1}, {3, 2, 3}, {.padding = 1}}, 1),
     conv_case("stride", {{2, 3, 9}, {2, 3, 3}, {.stride = 2}}, 4),
     conv_case("stride_leaves_some_out", {{1, 2, 11}, {2, 2, 2}, {.stride = 4}}, 3),
     conv_case("kernel_is_stride", {{5, 3, 4}, {3, 3, 4}, {.stride = 4}}, 1),
     conv_case("dilation", {{2, 3, 9}, {2, 3, 3}, {.dilation = 3}}, 3),
     conv_case("groups", {{2, 6, 5}, {4, 3, 3}, {.groups = 2}}, 3),
     conv_case("depthwise", {{2, 3, 7}, {6, 1, 3}, {.padding = 1, .groups = 3}, false}, 7),
     conv_case("everything", {{2, 4, 13}, {6, 2, 3}, {.stride = 2, .padding = 3, .dilation = 2, .groups = 2}},
               8),
     conv_case("no_batch", {{0, 3, 5}, {2, 3, 3}}, 3), conv_case("large", {{3, 16, 40}, {24, 16, 5}}, 36)});

}  // namespace
}  // namespace fade::test
