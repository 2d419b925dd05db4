#include "ops/matmul/matmul.h"

#include "tests/ops/op_case.h"

namespace fade::test {
namespace {

// y[batch, i, j] = Σ_k a[batch, i, k]·b[batch, k, j]; b has one matrix for all batches when `shared_b`.
Values product(const Arrays& in, int64_t batch, int64_t m, int64_t k, int64_t n, Transpose t, bool shared_b) {
  return tabulate({batch, m, n}, [&](const auto& at) {
    const auto [z, i, j, unused] = at;
    double sum = 0;
    for (int64_t l = 0; l < k; ++l)
      sum += in[0][static_cast<size_t>(z * m * k + (t.a ? l * m + i : i * k + l))] *
             in[1][static_cast<size_t>((shared_b ? 0 : z * k * n) + (t.b ? j * k + l : l * n + j))];
    return sum;
  });
}

Shape with_batch(Shape batch, int64_t rows, int64_t columns) {
  batch.append(rows);
  batch.append(columns);
  return batch;
}

OpCase matmul_case(const std::string& name, const Shape& batch, int64_t m, int64_t k, int64_t n, Transpose t,
                   bool shared_b = false) {
  const Shape b_batch = shared_b ? Shape{} : batch;
  return {.name = fmt::format("matmul/{}{}{}", name, t.a ? "_ta" : "", t.b ? "_tb" : ""),
          .inputs = {{t.a ? with_batch(batch, k, m) : with_batch(batch, m, k)},
                     {t.b ? with_batch(b_batch, n, k) : with_batch(b_batch, k, n)}},
          .run = [t](const Tensors& in) { return matmul(in[0], in[1], t); },
          .reference = [=](const Arrays& in) { return product(in, batch.numel(), m, k, n, t, shared_b); },
          .shape = with_batch(batch, m, n)};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> all;
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Transpose t{ta, tb};
      all.push_back(matmul_case("plain", {}, 3, 5, 2, t));
      all.push_back(matmul_case("square", {}, 3, 3, 3, t));
      all.push_back(matmul_case("batch", {3}, 2, 3, 5, t));
      all.push_back(matmul_case("two_batch_dimensions", {2, 2}, 1, 3, 2, t));
      all.push_back(matmul_case("one", {}, 1, 1, 1, t));
      all.push_back(matmul_case("empty_inner", {}, 2, 0, 3, t));
      all.push_back(matmul_case("no_rows", {}, 0, 3, 2, t));
      all.push_back(matmul_case("no_batch", {0}, 2, 3, 2, t));
      all.push_back(matmul_case("large", {}, 37, 41, 43, t));
    }
  }
  for (const bool tb : {false, true}) {
    all.push_back(matmul_case("shared_b", {3}, 2, 3, 5, {false, tb}, true));
    all.push_back(matmul_case("shared_b_two_batch_dimensions", {2, 3}, 1, 5, 3, {false, tb}, true));
    all.push_back(matmul_case("shared_b_no_batch", {0}, 2, 3, 2, {false, tb}, true));
  }
  return all;
}

[[maybe_unused]] const bool added = add_cases("matmul", cases());

}  // namespace
}  // namespace fade::test
