#include "ops/masked_renorm/masked_renorm.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// a [B, K, M, L], m [B, M, L].
Values faded(const Arrays& in, const Shape& shape) {
  const Shape mask{shape[0], shape[2], shape[3]};
  const auto product = [&](int64_t b, int64_t h, int64_t i, int64_t j) {
    return in[0][static_cast<size_t>(offset(shape, {b, h, i, j}))] *
           in[1][static_cast<size_t>(offset(mask, {b, i, j}))];
  };
  return tabulate(shape, [&](const auto& at) {
    const auto [b, h, i, j] = at;
    double total = 1e-8;
    for (int64_t row = 0; row < shape[3]; ++row) total += product(b, h, i, row);
    return product(b, h, i, j) / total;
  });
}

OpCase renorm_case(const char* name, const Shape& shape, Fill mask, Role role = Role::differentiable) {
  const bool unseen = role == Role::constant;
  return {.name = fmt::format("masked_renorm/{}", name),
          .inputs = {{.shape = shape, .fill = uniform_values(0.1, 1), .zero_gradient = unseen},
                     {{shape[0], shape[2], shape[3]}, std::move(mask), role}},
          .run = [](const Tensors& in) { return masked_renorm(in[0], in[1]); },
          .reference = [=](const Arrays& in) { return faded(in, shape); },
          .shape = shape,
          .saved_bytes = 8 * shape.numel(0, 3)};
}

std::vector<OpCase> cases() {
  const Fill ramp = [](int64_t i, double u) { return i % 3 == 0 ? 1 : i % 3 == 1 ? 0 : 0.2 + 0.6 * u; };
  const Fill ones = uniform_values(1, 1), zeros = uniform_values(0, 0);
  return {renorm_case("ramp", {2, 3, 5, 7}, ramp), renorm_case("one_head", {1, 1, 3, 5}, ramp),
          renorm_case("all_one", {1, 2, 3, 5}, ones),
          // Near a mask of zeros 1/(Σ + 1e-8) is too curved for finite differences in the mask: values only.
          renorm_case("all_zero", {1, 2, 3, 5}, zeros, Role::constant),
          renorm_case("wide", {1, 2, 3, 67}, ramp), renorm_case("whole_vectors", {2, 2, 3, 8}, ramp),
          renorm_case("long", {1, 2, 2, 1031}, ramp),
          renorm_case("long_whole_vectors", {1, 2, 1, 1100}, ramp),
          renorm_case("no_streams", {0, 2, 3, 5}, ramp), renorm_case("no_queries", {2, 2, 0, 5}, ramp)};
}

[[maybe_unused]] const bool added = add_cases("masked_renorm", cases());

}  // namespace
}  // namespace fade::test
