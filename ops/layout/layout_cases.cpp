#include "ops/layout/layout.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

OpCase reshape_case(const char* name, const Shape& from, const Shape& result, Run run) {
  return {.name = fmt::format("reshape/{}", name),
          .inputs = {{from}},
          .run = std::move(run),
          .reference = [](const Arrays& in) { return in[0]; },
          .shape = result};
}

template <class... Dims>
OpCase permute_case(const char* name, const Shape& from, Dims... order) {
  const std::array<int, sizeof...(order)> dims{order...};
  Shape result;
  for (const int d : dims) result.append(from[d]);
  return {.name = fmt::format("permute/{}", name),
          .inputs = {{from}},
          .run = [=](const Tensors& in) { return permute(in[0], {order...}); },
          .reference =
              [=](const Arrays& in) {
                return tabulate(result, [&](const auto& to) {
                  std::array<int64_t, 4> at{};
                  for (size_t d = 0; d < dims.size(); ++d) at[static_cast<size_t>(dims[d])] = to[d];
                  int64_t offset = 0;
                  for (int d = 0; d < from.dims(); ++d)
                    offset = offset * from[d] + at[static_cast<size_t>(d)];
                  return in[0][static_cast<size_t>(offset)];
                });
              },
          .shape = result};
}

// x as [outer, n, inner] around dimension `dim`.
struct Around {
  int64_t outer, n, inner;
  Around(const Shape& s, int dim)
      : outer(s.numel(0, s.index(dim))), n(s[dim]), inner(s.numel(s.index(dim) + 1, s.dims())) {}
  double at(const Values& x, int64_t o, int64_t k, int64_t i) const {
    return x[static_cast<size_t>((o * n + k) * inner + i)];
  }
};

OpCase slice_case(const char* name, const Shape& from, int dim, int64_t begin, int64_t end) {
  Shape result = from;
  result.set(dim, end - begin);
  OpCase c{.name = fmt::format("slice/{}", name),
           .inputs = {{from}},
           .run = [=](const Tensors& in) { return slice(in[0], dim, begin, end); },
           .reference =
               [=](const Arrays& in) {
                 const Around x(from, dim);
                 return tabulate({x.outer, end - begin, x.inner},
                                 [&](const auto& to) { return x.at(in[0], to[0], begin + to[1], to[2]); });
               },
           .shape = result};
  if (begin > 0 && end > begin)
    c.wrong = {
        {"one element early", [=](const Tensors& in) { return slice(in[0], dim, begin - 1, end - 1); }}};
  return c;
}

OpCase concat_case(const char* name, const Shape& a, const Shape& b, int dim) {
  Shape result = a;
  result.set(dim, a[dim] + b[dim]);
  return {.name = fmt::format("concat/{}", name),
          .inputs = {{a}, {b}},
          .run = [=](const Tensors& in) { return concat(in[0], in[1], dim); },
          .reference =
              [=](const Arrays& in) {
                const Around of_a(a, dim), of_b(b, dim);
                return tabulate({of_a.outer, result[dim], of_a.inner}, [&](const auto& to) {
                  const auto [o, k, i, unused] = to;
                  return k < of_a.n ? of_a.at(in[0], o, k, i) : of_b.at(in[1], o, k - of_a.n, i);
                });
              },
          .shape = result};
}

[[maybe_unused]] const bool added = add_cases(
    "layout",
    {reshape_case("flatten", {2, 3, 5}, {30}, [](const Tensors& in) { return reshape(in[0], {30}); }),
     reshape_case("worked_out", {2, 3, 5}, {3, 10},
                  [](const Tensors& in) {
                    return reshape(in[0], {3, -1});
                  }),
     reshape_case("to_no_dimensions", {1}, {}, [](const Tensors& in) { return reshape(in[0], {}); }),
     reshape_case("empty", {0, 3}, {3, 0},
                  [](const Tensors& in) {
                    return reshape(in[0], {3, 0});
                  }),
     permute_case("transpose", {3, 5}, 1, 0),
     permute_case("identity", {3, 5}, 0, 1),
     permute_case("rotate", {2, 3, 5}, 2, 0, 1),
     permute_case("heads", {2, 3, 5, 7}, 0, 2, 1, 3),
     permute_case("reverse", {2, 3, 1, 5}, 3, 2, 1, 0),
     permute_case("empty", {0, 3}, 1, 0),
     permute_case("packed_heads", {2, 3, 5, 8}, 0, 2, 1, 3),
     permute_case("tiles", {37, 41}, 1, 0),
     permute_case("batch_of_tiles", {3, 33, 2, 8}, 0, 2, 3, 1),
     permute_case("few_columns", {41, 3}, 1, 0),
     slice_case("rows", {5, 3}, 0, 1, 4),
     slice_case("last_columns", {3, 5}, 1, 2, 5),
     slice_case("from_the_end", {2, 3, 5}, -1, 1, 3),
     slice_case("middle_dimension", {2, 7, 3}, 1, 3, 4),
     slice_case("everything", {3, 5}, 1, 0, 5),
     slice_case("nothing", {3, 5}, 1, 2, 2),
     slice_case("packed_columns", {3, 16}, 1, 4, 12),
     slice_case("packed_middle", {2, 7, 4}, 1, 2, 5),
     concat_case("rows", {2, 3}, {5, 3}, 0),
     concat_case("columns", {3, 2}, {3, 5}, 1),
     concat_case("middle_dimension", {2, 3, 5}, {2, 1, 5}, 1),
     concat_case("from_the_end", {2, 3, 1}, {2, 3, 4}, -1),
     concat_case("with_nothing", {3, 0}, {3, 2}, 1),
     concat_case("packed_columns", {3, 4}, {3, 8}, 1)});

}  // namespace
}  // namespace fade::test
