#include "ops/reduce/reduce.h"

#include <algorithm>
#include <numeric>

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

using Fold = double (*)(const Values&);

double total(const Values& v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double average(const Values& v) { return total(v) / static_cast<double>(v.size()); }
double largest(const Values& v) { return *std::max_element(v.begin(), v.end()); }
double smallest(const Values& v) { return *std::min_element(v.begin(), v.end()); }

// The fold of each line along `dim`: elements that are `inner` apart.
Values fold_lines(const Values& x, const Shape& shape, int dim, Fold fold) {
  const int64_t inner = shape.numel(dim + 1, shape.dims()), n = shape[dim], outer = shape.numel(0, dim);
  return tabulate({outer, inner}, [&](const auto& at) {
    Values line;
    for (int64_t k = 0; k < n; ++k) line.push_back(x[static_cast<size_t>((at[0] * n + k) * inner + at[1])]);
    return fold(line);
  });
}

OpCase over_dim(const char* op, Tensor (*f)(const Tensor&, int, bool), Fold fold, const Shape& shape, int dim,
                bool keep_dim) {
  Shape result;
  for (int d = 0; d < shape.dims(); ++d) {
    if (d != shape.index(dim))
      result.append(shape[d]);
    else if (keep_dim)
      result.append(1);
  }
  const bool extreme = fold == largest || fold == smallest;
  return {.name = fmt::format("{}/dim{}_of_{}{}", op, dim, shape.str(), keep_dim ? "_kept" : ""),
          .inputs = {{shape, extreme ? distinct_values(shape.numel()) : uniform_values(-2, 2)}},
          .run = [=](const Tensors& in) { return f(in[0], dim, keep_dim); },
          .reference = [=](const Arrays& in) { return fold_lines(in[0], shape, shape.index(dim), fold); },
          .shape = result,
          .saved_bytes = extreme ? 4 * result.numel() : 0};
}

OpCase over_all(const char* op, Tensor (*f)(const Tensor&), Fold fold, const Shape& shape) {
  return {.name = fmt::format("{}/all_of_{}", op, shape.str()),
          .inputs = {{shape}},
          .run = [=](const Tensors& in) { return f(in[0]); },
          .reference = [=](const Arrays& in) { return Values{fold(in[0])}; },
          .shape = {}};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> all;
  const auto extremes = [&](const Shape& shape, int dim, bool keep_dim) {
    all.push_back(over_dim("max", max, largest, shape, dim, keep_dim));
    all.push_back(over_dim("min", min, smallest, shape, dim, keep_dim));
  };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{2, 3, 5}, Shape{73, 307}}) {
    all.push_back(over_all("sum", sum, total, shape));
    all.push_back(over_all("mean", mean, average, shape));
  }
  all.push_back(over_all("sum", sum, total, {0}));
  for (const bool keep_dim : {false, true}) {
    for (const int dim : {0, 1, 2, -1, -2}) {
      all.push_back(over_dim("sum", sum, total, {2, 3, 5}, dim, keep_dim));
      all.push_back(over_dim("mean", mean, average, {2, 3, 5}, dim, keep_dim));
      extremes({2, 3, 5}, dim, keep_dim);
    }
    all.push_back(over_dim("sum", sum, total, {0, 3}, 0, keep_dim));  // sums of nothing are 0
    extremes({0, 3}, 1, keep_dim);
    extremes({7}, 0, keep_dim);
    extremes({1, 1}, 1, keep_dim);
    all.push_back(over_dim("mean", mean, average, {1, 1}, 0, keep_dim));
  }
  // Long and short lines, few and many, with a last dimension of whole vectors and without.
  for (const Shape& shape : {Shape{2, 5000}, Shape{2, 4099}, Shape{3, 1100}, Shape{3, 64}, Shape{611, 7}}) {
    for (const int dim : {0, 1}) all.push_back(over_dim("sum", sum, total, shape, dim, false));
  }
  for (const Shape& shape : {Shape{2, 1031}, Shape{3, 1100}, Shape{3, 64}}) extremes(shape, 1, false);
  extremes({211, 7}, 0, false);
  return all;
}

[[maybe_unused]] const bool added = add_cases("reduce", cases());

}  // namespace
}  // namespace fade::test
