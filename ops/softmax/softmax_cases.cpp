#include "ops/softmax/softmax.h"

#include <algorithm>
#include <cmath>

#include "ops/reduce/reduce.h"
#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// softmax of each row of `length`, over the columns that `seen` allows.
Values softmax_rows(const Values& x, int64_t length, const std::function<bool(size_t i)>& seen) {
  Values y(x.size());
  const auto n = static_cast<size_t>(length);
  for (size_t row = 0; row < x.size(); row += n) {
    double total = 0;
    for (size_t i = row; i < row + n; ++i) total += y[i] = seen(i) ? std::exp(x[i]) : 0;
    for (size_t i = row; i < row + n; ++i) y[i] = total > 0 ? y[i] / total : 0;
  }
  return y;
}

OpCase softmax_case(const char* name, const Shape& shape, double range) {
  const int64_t length = shape[-1];
  return {
      .name = fmt::format("softmax/{}", name),
      .inputs = {{.shape = shape, .fill = uniform_values(-range, range), .zero_gradient = length == 1}},
      .run = [](const Tensors& in) { return softmax(in[0]); },
      .reference = [=](const Arrays& in) { return softmax_rows(in[0], length, [](size_t) { return true; }); },
      .shape = shape,
      .saved_bytes = 8 * shape.numel()};
}

OpCase log_softmax_case(const char* name, const Shape& shape, double range) {
  OpCase c = softmax_case(name, shape, range);
  c.name = fmt::format("log_softmax/{}", name);
  c.run = [](const Tensors& in) { return log_softmax(in[0]); };
  c.reference = [softmax = c.reference](const Arrays& in) {
    Values y = softmax(in);
    for (double& v : y) v = std::log(v);
    return y;
  };
  return c;
}

OpCase logsumexp_case(const char* name, const Shape& shape, int dim, bool keep_dim, double range) {
  const int d = shape.index(dim);
  const Shape lines{shape.numel(0, d), shape[d], shape.numel(d + 1, shape.dims())};
  Shape result;
  for (int i = 0; i < shape.dims(); ++i) {
    if (i != d)
      result.append(shape[i]);
    else if (keep_dim)
      result.append(1);
  }
  const bool last = d == shape.dims() - 1;  // else its lines are saved, as rows
  OpCase c{.name = fmt::format("logsumexp/{}", name),
           .inputs = {{shape, uniform_values(-range, range)}},
           .run = [=](const Tensors& in) { return logsumexp(in[0], dim, keep_dim); },
           .reference =
               [=](const Arrays& in) {
                 return tabulate({lines[0], lines[2]}, [&](const auto& at) {
                   double total = 0;
                   for (int64_t k = 0; k < lines[1]; ++k)
                     total += std::exp(in[0][static_cast<size_t>(offset(lines, {at[0], k, at[1]}))]);
                   return std::log(total);
                 });
               },
           .shape = result,
           .saved_bytes = 8 * (result.numel() + (last ? 0 : shape.numel()))};
  if (shape[d] > 1 && result.numel() > 0)
    c.wrong = {{"the largest alone", [=](const Tensors& in) { return max(in[0], dim, keep_dim); }}};
  return c;
}

// x [B, K, M, L], mask [B, M, L].
OpCase where_case(const char* name, const Shape& shape, Fill mask, bool all_hidden = false) {
  const int64_t heads = shape[1], plane = shape[2] * shape[3];
  return {.name = fmt::format("softmax_where/{}", name),
          .inputs = {{.shape = shape, .zero_gradient = all_hidden || shape[3] == 1},
                     {{shape[0], shape[2], shape[3]}, std::move(mask), Role::constant}},
          .run = [](const Tensors& in) { return softmax_where(in[0], in[1]); },
          .reference =
              [=](const Arrays& in) {
                return softmax_rows(in[0], shape[3], [&](size_t i) {
                  const auto at = static_cast<int64_t>(i), stream = at / (heads * plane);
                  return in[1][static_cast<size_t>(stream * plane + at % plane)] > 0;
                });
              },
          .shape = shape,
          .saved_bytes = 8 * shape.numel(),
          .wrong = {{"the mask is left out", [](const Tensors& in) {
                       return softmax_where(in[0], Tensor::full(in[1].shape(), 1, in[1].dtype()));
                     }}}};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> all;
  for (const auto make : {softmax_case, log_softmax_case}) {
    all.push_back(make("one", {1}, 2));
    all.push_back(make("row", {7}, 2));
    all.push_back(make("columns_of_one", {3, 1}, 2));
    all.push_back(make("four_dimensions", {2, 3, 1, 5}, 2));
    all.push_back(make("far_apart", {3, 5}, 15));
    all.push_back(make("odd_width", {3, 67}, 3));
    all.push_back(make("no_rows", {0, 3}, 2));
    all.push_back(make("whole_vectors", {3, 64}, 3));
    all.push_back(make("long", {2, 1031}, 3));
    all.push_back(make("long_whole_vectors", {2, 1100}, 3));
  }
  all.push_back(logsumexp_case("one", {1}, 0, false, 2));
  all.push_back(logsumexp_case("row", {7}, 0, false, 2));
  all.push_back(logsumexp_case("rows", {3, 5}, -1, false, 2));
  all.push_back(logsumexp_case("columns_kept", {5, 3}, 0, true, 2));
  all.push_back(logsumexp_case("middle", {2, 3, 5}, 1, false, 2));
  all.push_back(logsumexp_case("before_a_one", {2, 3, 1}, 1, false, 2));
  all.push_back(logsumexp_case("rows_kept", {2, 1, 5}, 2, true, 2));
  all.push_back(logsumexp_case("far_apart", {3, 5}, 1, false, 15));
  all.push_back(logsumexp_case("no_rows", {0, 3}, 1, false, 2));
  all.push_back(logsumexp_case("whole_vectors", {3, 64}, 1, false, 3));
  all.push_back(logsumexp_case("long", {2, 1031}, 1, false, 3));
  const Fill every_third_hidden = [](int64_t i, double u) { return i % 3 == 1 ? 0 : u; };
  all.push_back(where_case("some", {2, 3, 5, 7}, every_third_hidden));
  all.push_back(
      where_case("rows_without_any", {2, 2, 3, 5}, [](int64_t i, double u) { return i < 10 ? 0 : u; }));
  OpCase everything = where_case("all", {1, 2, 3, 5}, uniform_values(0.1, 1));
  everything.wrong.clear();  // leaving out a mask of ones changes nothing
  all.push_back(everything);
  all.push_back(where_case("none", {1, 2, 3, 5}, uniform_values(0, 0), true));
  all.push_back(where_case("ramp", {1, 1, 3, 11},
                           [](int64_t i, double) { return static_cast<double>(i % 11 - 4) / 7; }));
  all.push_back(where_case("whole_vectors", {2, 2, 3, 8}, every_third_hidden));
  all.push_back(where_case("long", {1, 2, 2, 1100}, every_third_hidden));
  return all;
}

[[maybe_unused]] const bool added = add_cases("softmax", cases());

}  // namespace
}  // namespace fade::test
