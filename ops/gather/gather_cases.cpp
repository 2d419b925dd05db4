#include "ops/gather/gather.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// Out of order, and some elements more than once.
Fill places(int64_t n) {
  return [=](int64_t i, double) { return static_cast<double>(i * 7 % (n + 1) % n); };
}

// Sizes around a dimension.
Shape around(const Shape& s, int dim) { return {s.numel(0, dim), s[dim], s.numel(dim + 1, s.dims())}; }

size_t at(const Shape& s, int64_t o, double k, int64_t i) {
  return static_cast<size_t>(offset(s, {o, static_cast<int64_t>(k), i}));
}

// A plausible mistake: places counted from the end of a line of n elements.
Tensor from_the_end(const Tensor& index, int64_t n) {
  std::vector<int32_t> places = index.to_vector<int32_t>();
  for (int32_t& k : places) k = static_cast<int32_t>(n) - 1 - k;
  return Tensor::from(places, index.shape());
}

OpCase gather_case(const char* name, const Shape& shape, int dim, int64_t m) {
  const int d = shape.index(dim);
  Shape index = shape;
  index.set(d, m);
  const Shape from = around(shape, d), to = around(index, d);
  OpCase c{.name = fmt::format("gather/{}", name),
           .inputs = {{shape}, {index, places(shape[d]), Role::integers}},
           .run = [=](const Tensors& in) { return gather(in[0], dim, in[1]); },
           .reference =
               [=](const Arrays& in) {
                 return tabulate(to, [&](const auto& p) {
                   return in[0][at(from, p[0], in[1][at(to, p[0], double(p[1]), p[2])], p[2])];
                 });
               },
           .shape = index};
  if (shape[d] > 1 && index.numel() > 0)
    c.wrong = {{"places from the end",
                [=](const Tensors& in) { return gather(in[0], dim, from_the_end(in[1], shape[d])); }}};
  return c;
}

OpCase scatter_case(const char* name, const Shape& shape, int dim, int64_t m) {
  OpCase c = gather_case(name, shape, dim, m);
  const int d = shape.index(dim);
  const Shape index = c.shape, from = around(shape, d), to = around(index, d);
  c.name = fmt::format("scatter_add/{}", name);
  c.inputs.push_back({index});
  c.run = [=](const Tensors& in) { return scatter_add(in[0], dim, in[1], in[2]); };
  c.reference = [=](const Arrays& in) {
    Values y = in[0];
    for (int64_t o = 0; o < to[0]; ++o) {
      for (int64_t k = 0; k < to[1]; ++k) {
        for (int64_t i = 0; i < to[2]; ++i) {
          const size_t place = at(to, o, double(k), i);
          y[at(from, o, in[1][place], i)] += in[2][place];
        }
      }
    }
    return y;
  };
  c.shape = shape;
  if (!c.wrong.empty())
    c.wrong = {{"places from the end", [=](const Tensors& in) {
                  return scatter_add(in[0], dim, from_the_end(in[1], shape[d]), in[2]);
                }}};
  return c;
}

std::vector<OpCase> cases() {
  std::vector<OpCase> all;
  for (const auto make : {gather_case, scatter_case}) {
    all.push_back(make("one", {1}, 0, 1));
    all.push_back(make("line", {5}, 0, 9));
    all.push_back(make("rows", {3, 5}, 1, 4));
    all.push_back(make("one_of_each_row", {7, 3}, -1, 1));
    all.push_back(make("columns", {5, 3}, 0, 7));
    all.push_back(make("middle", {2, 3, 5}, 1, 4));
    all.push_back(make("four_dimensions", {2, 3, 2, 3}, -2, 5));
    all.push_back(make("no_places", {5, 3}, 0, 0));
    all.push_back(make("no_lines", {0, 3}, 1, 2));
    all.push_back(make("long_line", {11}, 0, 2500));
    all.push_back(make("many_lines", {2, 3, 700}, 1, 5));
    all.push_back(make("lines_shared_by_threads", {3, 2, 5}, 1, 2500));
  }
  return all;
}

[[maybe_unused]] const bool added = add_cases("gather", cases());

}  // namespace
}  // namespace fade::test
