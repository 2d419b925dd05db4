#include "ops/relative_position/relative_position.h"

#include "ops/elementwise/elementwise.h"
#include "ops/packed_rows/packed_rows.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

struct Sizes {
  int64_t streams, heads, block, distances, rows;
};

OpCase position_case(const char* name, const Sizes& s, Fill age, bool out_of_reach = false) {
  const Shape by_distance{s.streams, s.heads, s.block, s.distances},
      result{s.streams, s.heads, s.block, s.rows};
  OpCase c{.name = fmt::format("relative_position/{}", name),
           .inputs = {{.shape = by_distance, .zero_gradient = out_of_reach},
                      {{s.streams, s.rows}, std::move(age), Role::integers}},
           .run = [](const Tensors& in) { return relative_position(in[0], in[1]); },
           .reference =
               [=](const Arrays& in) {
                 return tabulate(result, [&](const auto& at) {
                   const auto [b, h, i, j] = at;
                   const int64_t distance =
                       static_cast<int64_t>(in[1][static_cast<size_t>(b * s.rows + j)]) + i;
                   return distance >= 1 && distance <= s.distances
                              ? in[0][static_cast<size_t>(offset(by_distance, {b, h, i, distance - 1}))]
                              : 0.0;
                 });
               },
           .shape = result};
  if (!out_of_reach && result.numel() > 0)
    c.wrong = {{"ages one too large",
                [](const Tensors& in) { return relative_position(in[0], shifted(in[1], 1)); }}};
  return c;
}

// The same case with a third input, the scores. Scores that are a temporary, as a product of the model is, are
// overwritten; inputs are not.
OpCase added_to_scores(OpCase c, bool temporary) {
  const auto alone = c.reference;
  c.name = fmt::format("add_{}{}", c.name, temporary ? "_in_place" : "");
  c.inputs.push_back({c.shape});
  c.run = [=](const Tensors& in) {
    return add_relative_position(temporary ? in[2] * 1 : in[2], in[0], in[1]);
  };
  c.reference = [=](const Arrays& in) {
    Values sum = alone(in);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += in[2][i];
    return sum;
  };
  c.wrong = {
      {"ages one too large",
       [](const Tensors& in) { return add_relative_position(in[2], in[0], shifted(in[1], 1)); }},
      {"without the scores", [](const Tensors& in) { return relative_position(in[0], in[1]) + 0 * in[2]; }}};
  return c;
}

std::vector<OpCase> cases() {
  const auto descending = [](int64_t rows, int64_t oldest) {
    return [=](int64_t i, double) { return static_cast<double>(oldest - i % rows); };
  };
  const OpCase any_order = position_case("any_order_with_padding", {2, 3, 3, 3, 5},
                                         these({2, kPaddingAge, -1, 0, 7, -2, 1, kPaddingAge, 3, 0}));
  return {any_order,
          added_to_scores(any_order, true),
          added_to_scores(any_order, false),
          position_case("block_alone", {1, 2, 5, 5, 5}, descending(5, 0)),
          position_case("memory_and_block", {2, 2, 3, 4, 7}, descending(7, 4)),
          position_case("one", {1, 1, 1, 1, 1}, these({1})),
          position_case("rows_of_one_age", {2, 2, 3, 4, 5}, these({2, 2, 1, kPaddingAge, 2, 0, 3, 0, 3, 3})),
          position_case("whole_vectors", {2, 2, 3, 6, 8}, descending(8, 5)),
          position_case("long", {1, 2, 2, 3, 1031}, descending(1031, 1029)),
          position_case("out_of_reach", {1, 2, 3, 3, 2}, these({kPaddingAge, 4}), true),
          position_case("no_rows", {1, 2, 3, 3, 0}, these({}))};
}

[[maybe_unused]] const bool added = add_cases("relative_position", cases());

}  // namespace
}  // namespace fade::test
