#include "ops/dropout/dropout.h"

#include "tests/op_case.h"

namespace fade::test {
namespace {

constexpr RngKey kKey{.seed = 11, .stream = 3};

OpCase dropout_case(const char* name, const Shape& shape, double p) {
  return {.name = fmt::format("dropout/{}", name),
          .inputs = {{shape}},
          .run = [=](const Tensors& in) { return dropout(in[0], p, kKey); },
          .reference =
              [=](const Arrays& in) {
                Values y;
                for (size_t i = 0; i < in[0].size(); ++i)
                  y.push_back(uniform(kKey, i) >= p ? in[0][i] / (1 - p) : 0);
                return y;
              },
          .shape = shape,
          .wrong = {{"kept where it should be dropped",
                     [=](const Tensors& in) { return dropout(in[0], 0, kKey); }},
                    {"another stream of random numbers", [=](const Tensors& in) {
                       return dropout(in[0], p, {kKey.seed, kKey.stream + 1});
                     }}}};
}

std::vector<OpCase> cases() {
  OpCase empty = dropout_case("empty", {0, 3}, 0.5);
  empty.wrong.clear();
  return {empty, dropout_case("odd", {3, 7}, 0.3), dropout_case("most", {31}, 0.9),
          dropout_case("large", {73, 307}, 0.5)};
}

[[maybe_unused]] const bool added = add_cases("dropout", cases());

}  // namespace
}  // namespace fade::test
