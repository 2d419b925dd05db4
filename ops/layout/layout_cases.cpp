#include "ops/layout/layout.h"

#include <algorithm>

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
  std::array<int, sizeof...(order)> dims{order...};
  Shape result;
  for (int& d : dims) result.append(from[d = from.index(d)]);
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

// The parts along dimension `dim` of tensors of shape `all`.
Values joined(const Arrays& in, const std::vector<int64_t>& sizes, const Shape& all, int dim) {
  const Around whole(all, dim);
  return tabulate({whole.outer, whole.n, whole.inner}, [&](const auto& to) {
    size_t part = 0;
    int64_t k = to[1];
    while (k >= sizes[part]) k -= sizes[part++];
    return in[part][static_cast<size_t>((to[0] * sizes[part] + k) * whole.inner + to[2])];
  });
}

// Parts of these sizes along `dim` of `shape`, joined.
OpCase concat_case(const char* name, Shape shape, int dim, const std::vector<int64_t>& sizes) {
  std::vector<Input> inputs;
  int64_t total = 0;
  for (const int64_t size : sizes) {
    shape.set(dim, size);
    inputs.push_back({shape});
    total += size;
  }
  shape.set(dim, total);
  return {
      .name = fmt::format("concat/{}", name),
      .inputs = inputs,
      .run = [=](const Tensors& in) { return in.size() == 2 ? concat(in[0], in[1], dim) : concat(in, dim); },
      .reference = [=](const Arrays& in) { return joined(in, sizes, shape, dim); },
      .shape = shape};
}

OpCase stack_case(const char* name, const Shape& part, int dim, size_t count, const Shape& result) {
  return {
      .name = fmt::format("stack/{}", name),
      .inputs = std::vector<Input>(count, {part}),
      .run = [=](const Tensors& in) { return stack(in, dim); },
      .reference = [=](const Arrays& in) { return joined(in, std::vector<int64_t>(count, 1), result, dim); },
      .shape = result};
}

// The last part first: in order, nothing would show that x was split.
OpCase split_case(const char* name, const Shape& shape, int dim, const std::vector<int64_t>& sizes,
                  const std::function<Tensors(const Tensor&)>& cut) {
  return {.name = fmt::format("split/{}", name),
          .inputs = {{shape}},
          .run =
              [=](const Tensors& in) {
                Tensors parts = cut(in[0]);
                std::rotate(parts.begin(), parts.end() - 1, parts.end());
                return concat(parts, dim);
              },
          .reference =
              [=](const Arrays& in) {
                const Around x(shape, dim);
                return tabulate({x.outer, x.n, x.inner}, [&](const auto& to) {
                  return x.at(in[0], to[0], (to[1] + x.n - sizes.back()) % x.n, to[2]);
                });
              },
          .shape = shape};
}

OpCase broadcast_to_case(const char* name, const Shape& from, const Shape& result) {
  return {.name = fmt::format("broadcast_to/{}", name),
          .inputs = {{from}},
          .run = [=](const Tensors& in) { return broadcast_to(in[0], result); },
          .reference =
              [=](const Arrays& in) {
                return tabulate(result, [&](const auto& to) {
                  int64_t at = 0;
                  for (int d = 0; d < from.dims(); ++d) {
                    const int64_t k = to[static_cast<size_t>(d + result.dims() - from.dims())];
                    at = at * from[d] + (from[d] == 1 ? 0 : k);
                  }
                  return in[0][static_cast<size_t>(at)];
                });
              },
          .shape = result,
          .broadcasts = result.numel() > from.numel()};
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
     permute_case("from_the_end", {2, 3, 5}, 0, -1, -2),
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
     reshape_case("to_a_shape", {2, 3, 5}, {5, 6},
                  [](const Tensors& in) {
                    return reshape(in[0], Shape{5, 6});
                  }),
     reshape_case("unsqueezed", {2, 3}, {2, 1, 3}, [](const Tensors& in) { return unsqueeze(in[0], 1); }),
     reshape_case("unsqueezed_at_the_end", {2, 3}, {2, 3, 1},
                  [](const Tensors& in) { return unsqueeze(in[0], -1); }),
     reshape_case("squeezed", {2, 1, 3}, {2, 3}, [](const Tensors& in) { return squeeze(in[0], -2); }),
     concat_case("rows", {2, 3}, 0, {2, 5}),
     concat_case("columns", {3, 2}, 1, {2, 5}),
     concat_case("middle_dimension", {2, 3, 5}, 1, {3, 1}),
     concat_case("from_the_end", {2, 3, 1}, -1, {1, 4}),
     concat_case("with_nothing", {3, 0}, 1, {0, 2}),
     concat_case("packed_columns", {3, 4}, 1, {4, 8}),
     concat_case("one", {3, 4}, 1, {4}),
     concat_case("four", {3, 4}, 1, {4, 1, 2, 3}),
     concat_case("five", {2, 3}, 0, {1, 2, 3, 1, 2}),
     concat_case("many", {3, 1}, 1, {1, 2, 1, 3, 1, 2, 1, 1, 2, 1, 1, 4, 1, 2, 1, 1, 3, 1}),
     stack_case("rows", {3, 5}, 0, 3, {3, 3, 5}),
     stack_case("columns", {3, 5}, -1, 4, {3, 5, 4}),
     stack_case("middle_dimension", {3, 5}, 1, 6, {3, 6, 5}),
     stack_case("numbers", {}, 0, 2, {2}),
     stack_case("one", {3}, 1, 1, {3, 1}),
     split_case("rows", {7, 3}, 0, {2, 1, 4},
                [](const Tensor& x) {
                  return split(x, {2, 1, 4}, 0);
                }),
     split_case("columns", {3, 7}, -1, {2, 0, 1, 4},
                [](const Tensor& x) {
                  return split(x, {2, 0, 1, 4}, -1);
                }),
     split_case("of_one_size", {2, 7, 3}, 1, {3, 3, 1}, [](const Tensor& x) { return split(x, 3, 1); }),
     split_case("in_one", {2, 3}, 1, {3}, [](const Tensor& x) { return split(x, 5, 1); }),
     split_case("nothing", {2, 0}, 1, {0}, [](const Tensor& x) { return split(x, 5, 1); }),
     broadcast_to_case("rows", {5}, {3, 5}),
     broadcast_to_case("columns", {3, 1}, {3, 5}),
     broadcast_to_case("number", {}, {7}),
     broadcast_to_case("middle_dimension", {2, 1, 3, 1}, {2, 5, 3, 2}),
     broadcast_to_case("packed", {4, 8}, {3, 4, 8}),
     broadcast_to_case("long_columns", {9, 1}, {3, 9, 16}),
     broadcast_to_case("itself", {3, 5}, {3, 5}),
     broadcast_to_case("nothing", {1, 3}, {0, 3})});

}  // namespace
}  // namespace fade::test
