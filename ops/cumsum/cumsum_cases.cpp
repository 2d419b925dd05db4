#include "ops/cumsum/cumsum.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

OpCase sum_case(const char* name, const Shape& shape, int dim) {
  const int d = shape.index(dim);
  const Shape lines{shape.numel(0, d), shape[d], shape.numel(d + 1, shape.dims())};
  OpCase c{.name = fmt::format("cumsum/{}", name),
           .inputs = {{shape, uniform_values(-1, 1)}},
           .run = [=](const Tensors& in) { return cumsum(in[0], dim); },
           .reference =
               [=](const Arrays& in) {
                 return tabulate(lines, [&](const auto& at) {
                   double total = 0;
                   for (int64_t k = 0; k <= at[1]; ++k)
                     total += in[0][static_cast<size_t>(offset(lines, {at[0], k, at[2]}))];
                   return total;
                 });
               },
           .shape = shape};
  if (lines[1] > 1 && lines.numel() > 0 && shape.dims() > 1)
    c.wrong = {{"the next dimension",
                [=](const Tensors& in) { return cumsum(in[0], (d + 1) % in[0].shape().dims()); }}};
  return c;
}

[[maybe_unused]] const bool added =
    add_cases("cumsum", {sum_case("one", {1}, 0), sum_case("line", {7}, 0), sum_case("rows", {3, 5}, 1),
                         sum_case("columns", {5, 3}, 0), sum_case("middle", {2, 3, 5}, 1),
                         sum_case("from_the_end", {2, 3, 5}, -3), sum_case("size_one", {3, 1, 2}, 1),
                         sum_case("no_lines", {0, 3}, 1), sum_case("no_elements", {3, 0}, 1),
                         sum_case("whole_warps", {9, 64}, 1), sum_case("long_rows", {2, 331}, 1),
                         sum_case("wide", {3, 600}, 0)});

}  // namespace
}  // namespace fade::test
