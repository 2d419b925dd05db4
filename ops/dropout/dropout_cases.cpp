#include "ops/dropout/dropout.h"

#include "ops/layout/layout.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

constexpr RngKey kKey{.seed = 11, .stream = 3};

// Element i is kept iff its 16 bits, half of a word of Philox, are at least p·2^16, p rounded up to q.
double dropped(double x, double p, uint64_t i) {
  const double q = std::ceil(p * 65536) / 65536;
  const uint32_t word = philox(kKey, i / 8).v[i % 8 / 2], number = i % 2 == 0 ? word % 65536 : word / 65536;
  return number >= q * 65536 ? x / (1 - q) : 0;
}

Run run_with(const DropoutDraw& draw) {
  return [=](const Tensors& in) { return dropout(in[0], draw); };
}

OpCase dropout_case(const char* name, const Shape& shape, double p, uint64_t first = 0) {
  return {.name = fmt::format("dropout/{}", name),
          .inputs = {{shape}},
          .run = run_with({p, kKey, first}),
          .reference =
              [=](const Arrays& in) {
                Values y;
                for (size_t i = 0; i < in[0].size(); ++i) y.push_back(dropped(in[0][i], p, first + i));
                return y;
              },
          .shape = shape,
          .wrong = {{"kept where it should be dropped", run_with({0, kKey, first})},
                    {"another stream of random numbers", run_with({p, {kKey.seed, kKey.stream + 1}, first})},
                    {"the decisions of other elements", run_with({p, kKey, first + 8})}}};
}

std::vector<OpCase> cases() {
  OpCase empty = dropout_case("empty", {0, 3}, 0.5);
  empty.wrong.clear();
  // Rows 1 to 3 of a matrix: a view whose first element is not aligned for vectors.
  OpCase view = dropout_case("of_a_view", {3, 7}, 0.3);
  view.inputs = {{{4, 7}}};
  view.run = [](const Tensors& in) { return dropout(slice(in[0], 0, 1, 4), {0.3, kKey}); };
  view.reference = [whole = view.reference](const Arrays& in) {
    return whole({Values(in[0].begin() + 7, in[0].end())});
  };
  view.wrong.clear();
  return {empty, dropout_case("odd", {3, 7}, 0.3), dropout_case("most", {31}, 0.9),
          dropout_case("large", {73, 307}, 0.5), view,
          // Parts of larger tensors: where draws of eight begin, and within one.
          dropout_case("of_a_part", {3, 7}, 0.3, uint64_t{5} << 40),
          dropout_case("within_a_draw", {5, 5}, 0.3, (uint64_t{1} << 40) - 3),
          dropout_case("of_a_large_part", {43, 29}, 0.5, 7)};
}

[[maybe_unused]] const bool added = add_cases("dropout", cases());

}  // namespace
}  // namespace fade::test
