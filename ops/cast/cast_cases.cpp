#include "ops/cast/cast.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// To f64 and back, exactly.
OpCase there_and_back(const char* name, const Shape& shape) {
  return {.name = fmt::format("cast/{}", name),
          .inputs = {{shape}},
          .run =
              [](const Tensors& in) {
                const Tensor wide = cast(in[0], DType::f64);
                return cast(wide, in[0].dtype());
              },
          .reference = [](const Arrays& in) { return in[0]; },
          .shape = shape};
}

[[maybe_unused]] const bool added = add_cases(
    "cast",
    {there_and_back("matrix", {3, 5}), there_and_back("none", {0}), there_and_back("large", {67, 300})});

}  // namespace
}  // namespace fade::test
