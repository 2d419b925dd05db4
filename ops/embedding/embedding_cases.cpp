#include "ops/embedding/embedding.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

OpCase lookup_case(const char* name, int64_t vocab, int64_t width, const Shape& tokens) {
  Shape result = tokens;
  result.append(width);
  return {.name = fmt::format("embedding/{}", name),
          .inputs = {{{vocab, width}},
                     {tokens, [=](int64_t i, double) { return static_cast<double>(i * i % vocab); },
                      Role::integers}},
          .run = [](const Tensors& in) { return embedding(in[0], in[1]); },
          .reference =
              [=](const Arrays& in) {
                Values y;
                for (const double token : in[1]) {
                  for (int64_t h = 0; h < width; ++h)
                    y.push_back(in[0][static_cast<size_t>(static_cast<int64_t>(token) * width + h)]);
                }
                return y;
              },
          .shape = result};
}

[[maybe_unused]] const bool added =
    add_cases("embedding", {lookup_case("repeated", 7, 3, {11}), lookup_case("two_dimensions", 5, 4, {3, 5}),
                            lookup_case("one", 1, 1, {1}), lookup_case("no_tokens", 5, 3, {0}),
                            lookup_case("large", 13, 64, {600})});

}  // namespace
}  // namespace fade::test
