#include "ops/gather_rows/gather_rows.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

constexpr int64_t kPadding = -1;

// Every third place is padding; the others take rows out of order, some more than once.
double some_padding(int64_t i, int64_t rows) {
  return static_cast<double>(i % 3 == 2 ? kPadding : i * 7 % rows);
}

OpCase gather_case(const char* name, const Shape& x, const Shape& index, Fill fill,
                   bool only_padding = false) {
  Shape result = index;
  if (x.dims() == 2) result.append(x[1]);
  const int64_t width = x.numel(1, x.dims());
  return {
      .name = fmt::format("gather_rows/{}", name),
      .inputs = {{.shape = x, .zero_gradient = only_padding}, {index, std::move(fill), Role::integers}},
      .run = [](const Tensors& in) { return gather_rows(in[0], in[1]); },
      .reference =
          [=](const Arrays& in) {
            Values y;
            for (const double row : in[1]) {
              for (int64_t h = 0; h < width; ++h)
                y.push_back(row < 0 ? 0 : in[0][static_cast<size_t>(static_cast<int64_t>(row) * width + h)]);
            }
            return y;
          },
      .shape = result};
}

std::vector<OpCase> cases() {
  const auto padded = [](int64_t rows) { return [=](int64_t i, double) { return some_padding(i, rows); }; };
  return {gather_case("some_padding", {5, 3}, {7}, padded(5)),
          gather_case("two_dimensions", {5, 4}, {3, 5}, padded(5)),
          gather_case("numbers", {5}, {2, 7}, padded(5)),
          gather_case("one", {1, 1}, {1}, these({0})),
          gather_case("only_padding", {5, 3}, {7}, uniform_values(kPadding, kPadding), true),
          gather_case("no_places", {5, 3}, {0}, padded(5)),
          gather_case("no_rows", {0, 3}, {2}, uniform_values(kPadding, kPadding), true),
          gather_case("large", {31, 64}, {600}, padded(31)),
          gather_case("wide", {40, 300}, {50}, padded(40)),
          gather_case("wide_and_repeated", {2, 140}, {30}, padded(2)),
          gather_case("thousands_of_one_row", {2, 3}, {2500}, [](int64_t i, double) {
            return static_cast<double>(i % 7 == 0 ? kPadding : i % 5 == 0);
          })};
}

[[maybe_unused]] const bool added = add_cases("gather_rows", cases());

}  // namespace
}  // namespace fade::test
