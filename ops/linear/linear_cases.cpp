#include "ops/linear/linear.h"

#include "ops/dropout/keep_bits.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

constexpr RngKey kKey{.seed = 5, .stream = 9};

// dropout(relu(x·weightᵀ + bias)), for N rows of I inputs and O outputs.
Values by_formula(const Arrays& in, int64_t N, int64_t I, int64_t O, const LinearOptions& options) {
  const KeepRule rule(options.dropout.p);
  Values y;
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t o = 0; o < O; ++o) {
      double sum = in.size() > 2 ? in[2][static_cast<size_t>(o)] : 0;
      for (int64_t i = 0; i < I; ++i)
        sum += in[0][static_cast<size_t>(n * I + i)] * in[1][static_cast<size_t>(o * I + i)];
      if (options.relu) sum = std::max(sum, 0.0);
      if (const DropoutDraw& drop = options.dropout; drop.p > 0)
        sum = is_kept(drop.key, drop.first + static_cast<uint64_t>(n * O + o), rule.threshold)
                  ? sum * rule.factor
                  : 0;
      y.push_back(sum);
    }
  }
  return y;
}

OpCase linear_case(const char* name, const Shape& rows, int64_t I, int64_t O, bool bias,
                   const LinearOptions& options = {}) {
  Shape x = rows, y = rows;
  x.append(I);
  y.append(O);
  OpCase c{.name = fmt::format("linear/{}", name),
           .inputs = {{x}, {{O, I}}},
           .run = [=](const Tensors& in) { return linear(in[0], in[1], bias ? in[2] : Tensor(), options); },
           .reference = [=](const Arrays& in) { return by_formula(in, rows.numel(), I, O, options); },
           .shape = y,
           .saved_bytes = options.relu ? 8 * y.numel() : 0};
  if (bias) c.inputs.push_back({{O}});
  if (I == 0 || y.numel() == 0)
    for (Input& input : c.inputs) input.zero_gradient = y.numel() == 0;
  return c;
}

std::vector<OpCase> cases() {
  const LinearOptions relu{.relu = true}, all{.relu = true, .dropout = {0.3, kKey}},
      drop{.dropout = {0.4, kKey}};
  const LinearOptions part{.relu = true, .dropout = {0.3, kKey, 50}};
  OpCase of_a_part = linear_case("relu_dropout_of_a_part", {3}, 7, 11, true, part);
  of_a_part.wrong = {{"the first part", [=](const Tensors& in) { return linear(in[0], in[1], in[2], all); }}};
  OpCase dropped = linear_case("relu_dropout", {3, 5}, 7, 11, true, all);
  dropped.wrong = {{"no relu", [=](const Tensors& in) { return linear(in[0], in[1], in[2], drop); }},
                   {"no dropout", [=](const Tensors& in) { return linear(in[0], in[1], in[2], relu); }},
                   {"no bias", [=](const Tensors& in) { return linear(in[0], in[1], {}, all); }}};
  return {linear_case("plain", {5}, 3, 2, false),
          linear_case("bias", {2, 3}, 5, 4, true),
          linear_case("one_row", {}, 3, 5, true, relu),
          linear_case("relu", {4}, 3, 8, true, relu),
          linear_case("relu_without_bias", {7}, 2, 3, false, relu),
          dropped,
          of_a_part,
          linear_case("dropout", {9}, 3, 5, true, drop),
          linear_case("no_rows", {0}, 3, 2, true, all),
          linear_case("no_inputs", {3}, 0, 2, true),
          linear_case("large", {300}, 9, 68, true, all)};
}

[[maybe_unused]] const bool added = add_cases("linear", cases());

}  // namespace
}  // namespace fade::test
