#include "ops/linear_rows/linear_rows.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// I inputs, O outputs.
OpCase rows_case(const char* name, int64_t top, int64_t bottom, int64_t I, int64_t O) {
  return {.name = fmt::format("linear_rows/{}", name),
          .inputs = {{.shape = {top, I}, .zero_gradient = top == 0},
                     {.shape = {bottom, I}, .zero_gradient = bottom == 0},
                     {.shape = {O, I}, .zero_gradient = top + bottom == 0}},
          .run = [](const Tensors& in) { return linear_rows(in[0], in[1], in[2]); },
          .reference =
              [=](const Arrays& in) {
                Values y;
                for (int64_t n = 0; n < top + bottom; ++n) {
                  for (int64_t o = 0; o < O; ++o) {
                    double sum = 0;
                    for (int64_t i = 0; i < I; ++i) {
                      const double x = n < top ? in[0][static_cast<size_t>(n * I + i)]
                                               : in[1][static_cast<size_t>((n - top) * I + i)];
                      sum += x * in[2][static_cast<size_t>(o * I + i)];
                    }
                    y.push_back(sum);
                  }
                }
                return y;
              },
          .shape = {top + bottom, O}};
}

std::vector<OpCase> cases() {
  return {rows_case("both", 3, 5, 7, 2),       rows_case("one", 1, 1, 1, 1),
          rows_case("no_memory", 0, 5, 3, 4),  rows_case("no_block", 5, 0, 3, 4),
          rows_case("one_output", 6, 4, 5, 1), rows_case("large", 67, 31, 32, 48)};
}

[[maybe_unused]] const bool added = add_cases("linear_rows", cases());

}  // namespace
}  // namespace fade::test
