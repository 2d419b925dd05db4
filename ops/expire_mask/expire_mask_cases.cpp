#include "ops/expire_mask/expire_mask.h"

#include <algorithm>

#include "ops/packed_rows/packed_rows.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

struct Sizes {
  int64_t streams, rows, block;
  int ramp;
};

Run run_with(int64_t block, int ramp, int older = 0) {
  return [=](const Tensors& in) { return expire_mask(in[0], shifted(in[1], older), block, ramp); };
}

OpCase mask_case(const char* name, const Sizes& s, Fill span, Fill age, bool flat = false) {
  const Shape result{s.streams, s.block, s.rows};
  OpCase c{.name = fmt::format("expire_mask/{}", name),
           .inputs = {{.shape = {s.streams, s.rows}, .fill = std::move(span), .zero_gradient = flat},
                      {{s.streams, s.rows}, std::move(age), Role::integers}},
           .run = run_with(s.block, s.ramp),
           .reference =
               [=](const Arrays& in) {
                 return tabulate(result, [&](const auto& at) {
                   const auto row = static_cast<size_t>(at[0] * s.rows + at[2]);
                   const double distance = in[1][row] + static_cast<double>(at[1]);
                   if (distance < 1) return 0.0;
                   return std::clamp((in[0][row] - distance) / s.ramp + 1, 0.0, 1.0);
                 });
               },
           .shape = result};
  if (!flat && result.numel() > 0)
    c.wrong = {{"ages one too large", run_with(s.block, s.ramp, 1)},
               {"ages one too small", run_with(s.block, s.ramp, -1)},
               {"ramp one too long", run_with(s.block, s.ramp + 1)}};
  return c;
}

OpCase head_case(const char* name, const Sizes& s, int64_t heads, int64_t window, Fill age) {
  const Shape result{s.streams, heads, s.block, s.rows};
  const auto run = [=](int ramp, int64_t seen, int older) {
    return
        [=](const Tensors& in) { return adaptive_mask(in[0], shifted(in[1], older), s.block, ramp, seen); };
  };
  return {.name = fmt::format("adaptive_mask/{}", name),
          .inputs = {{.shape = {heads}, .fill = between_integers(0, 9)},
                     {{s.streams, s.rows}, std::move(age), Role::integers}},
          .run = run(s.ramp, window, 0),
          .reference =
              [=](const Arrays& in) {
                return tabulate(result, [&](const auto& at) {
                  const double distance =
                      in[1][static_cast<size_t>(at[0] * s.rows + at[3])] + static_cast<double>(at[2]);
                  if (distance < 1 || distance > static_cast<double>(window)) return 0.0;
                  return std::clamp((in[0][static_cast<size_t>(at[1])] - (distance - 1)) / s.ramp + 1, 0.0,
                                    1.0);
                });
              },
          .shape = result,
          .wrong = {{"ages one too large", run(s.ramp, window, 1)},
                    {"ages one too small", run(s.ramp, window, -1)},
                    {"ramp one too long", run(s.ramp + 1, window, 0)}}};
}

std::vector<OpCase> cases() {
  const auto descending = [](int64_t rows, int64_t oldest) {
    return [=](int64_t i, double) { return static_cast<double>(oldest - i % rows); };
  };
  const Fill fractions = between_integers(0, 9);  // r is then never at an end of the ramp
  return {mask_case("memory_and_block", {2, 11, 5, 3}, fractions, descending(11, 6)),
          mask_case("block_alone", {1, 5, 5, 2}, fractions, descending(5, 0)),
          mask_case("long_ramp", {2, 7, 3, 64}, fractions, descending(7, 4)),
          mask_case("any_order_with_padding", {2, 5, 3, 4}, fractions,
                    these({2, kPaddingAge, -1, 0, 7, -2, 1, kPaddingAge, 3, 0})),
          mask_case("one_row", {1, 1, 1, 2}, these({0.25}), these({1})),
          mask_case("all_one", {1, 5, 3, 4}, between_integers(20, 30), descending(5, 5), true),
          mask_case("all_zero", {1, 5, 3, 4}, fractions, descending(5, 50), true),
          mask_case("no_rows", {2, 0, 3, 4}, fractions, descending(1, 0)),
          mask_case("no_streams", {0, 5, 3, 4}, fractions, descending(1, 0)),
          mask_case("whole_vectors", {2, 8, 3, 4}, fractions, descending(8, 5)),
          mask_case("long", {1, 1100, 2, 16}, between_integers(0, 80), descending(1100, 1098)),
          head_case("heads", {2, 11, 5, 4}, 3, 9, descending(11, 6)),
          head_case("heads_with_padding", {2, 5, 3, 4}, 2, 20,
                    these({2, kPaddingAge, -1, 0, 7, -2, 1, kPaddingAge, 3, 0})),
          mask_case("large", {3, 97, 79, 16}, between_integers(0, 80), descending(97, 60))};
}

[[maybe_unused]] const bool added = add_cases("expire_mask", cases());

}  // namespace
}  // namespace fade::test
