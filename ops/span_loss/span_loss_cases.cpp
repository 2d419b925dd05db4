#include "ops/span_loss/span_loss.h"

#include "ops/packed_rows/packed_rows.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

constexpr double kCoefficient =
    3.0;  // not the 1e-6 of training, at which every gradient would look like zero

struct Sizes {
  int64_t streams, rows, block;
  int ramp;
};

double loss_of(const Arrays& in, const Sizes& s) {
  double sum = 0;
  for (size_t row = 0; row < in[0].size(); ++row)
    for (int64_t i = 0; i < s.block; ++i) {
      const double distance = in[1][row] + static_cast<double>(i), r = in[0][row] - distance,
                   m = r / s.ramp + 1;
      if (distance >= 1 && m > 0 && m < 1) sum += r;
    }
  return kCoefficient * sum / static_cast<double>(s.ramp * s.block * s.streams);
}

Run run_with(int64_t block, int ramp, int older = 0) {
  return
      [=](const Tensors& in) { return span_loss(in[0], shifted(in[1], older), block, ramp, kCoefficient); };
}

OpCase loss_case(const char* name, const Sizes& s, Fill span, Fill age, bool nothing_fades = false) {
  OpCase c{.name = fmt::format("span_loss/{}", name),
           .inputs = {{.shape = {s.streams, s.rows}, .fill = std::move(span), .zero_gradient = nothing_fades},
                      {{s.streams, s.rows}, std::move(age), Role::integers}},
           .run = run_with(s.block, s.ramp),
           .reference = [=](const Arrays& in) { return Values{loss_of(in, s)}; },
           .shape = {}};
  if (!nothing_fades && s.rows > 0)
    c.wrong = {{"ages one too large", run_with(s.block, s.ramp, 1)},
               {"ramp one too long", run_with(s.block, s.ramp + 1)},
               {"block one too long", run_with(s.block + 1, s.ramp)}};
  return c;
}

std::vector<OpCase> cases() {
  const auto descending = [](int64_t rows, int64_t oldest) {
    return [=](int64_t i, double) { return static_cast<double>(oldest - i % rows); };
  };
  const Fill fractions = between_integers(0, 9);  // a row joins or leaves the sum at whole numbers
  return {loss_case("memory_and_block", {2, 11, 5, 3}, fractions, descending(11, 6)),
          loss_case("block_alone", {1, 5, 5, 2}, between_integers(0, 3), descending(5, 0)),
          loss_case("long_ramp", {3, 7, 3, 64}, fractions, descending(7, 4)),
          loss_case("with_padding", {2, 5, 3, 4}, fractions,
                    these({2, kPaddingAge, -1, 0, 7, -2, 1, kPaddingAge, 3, 0})),
          loss_case("one_row", {1, 1, 1, 2}, these({0.25}), these({1})),
          loss_case("nothing_fades", {1, 5, 3, 4}, between_integers(20, 30), descending(5, 5), true),
          loss_case("all_expired", {1, 5, 3, 4}, fractions, descending(5, 50), true),
          loss_case("no_rows", {2, 0, 3, 4}, fractions, descending(1, 0)),
          loss_case("large", {3, 97, 79, 16}, between_integers(0, 80), descending(97, 60))};
}

[[maybe_unused]] const bool added = add_cases("span_loss", cases());

}  // namespace
}  // namespace fade::test
