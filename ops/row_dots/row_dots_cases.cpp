#include "ops/row_dots/row_dots.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

OpCase dots_case(const char* name, int64_t top, int64_t bottom, int64_t width) {
  return {.name = fmt::format("row_dots/{}", name),
          .inputs = {{.shape = {top, width}, .zero_gradient = top == 0},
                     {.shape = {bottom, width}, .zero_gradient = bottom == 0},
                     {.shape = {1, width}, .zero_gradient = top + bottom == 0}},
          .run = [](const Tensors& in) { return row_dots(in[0], in[1], in[2]); },
          .reference =
              [=](const Arrays& in) {
                return tabulate({top + bottom, 1}, [&](const std::array<int64_t, 4>& at) {
                  const Values& x = in[at[0] < top ? 0 : 1];
                  const int64_t row = at[0] < top ? at[0] : at[0] - top;
                  double sum = 0;
                  for (int64_t i = 0; i < width; ++i)
                    sum += x[static_cast<size_t>(row * width + i)] * in[2][static_cast<size_t>(i)];
                  return sum;
                });
              },
          .shape = {top + bottom, 1}};
}

std::vector<OpCase> cases() {
  return {dots_case("both", 3, 5, 7), dots_case("no_memory", 0, 5, 3), dots_case("no_block", 5, 0, 3),
          dots_case("whole_vectors", 67, 131, 64), dots_case("long", 2, 1, 1031)};
}

[[maybe_unused]] const bool added = add_cases("row_dots", cases());

}  // namespace
}  // namespace fade::test
