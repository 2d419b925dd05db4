// Matrix products at sizes beyond the case table: several
// blocks, edges and threads, on every instruction set.
#include <boost/test/unit_test.hpp>

#include "engine/rng.h"
#include "ops/matmul/matmul.h"
#include "ops/matmul/matmul_kernels.h"
#include "tests/instruction_sets.h"
#include "tests/support.h"
#include "tests/threads.h"

namespace fade::test {
namespace {

struct Sizes {
  int64_t m, n, k;
};

// Rows, columns and depths below, at and beyond the block sizes of the kernel.
constexpr Sizes kSizes[] = {{1, 1, 1},      {1, 64, 700}, {100, 1, 129},   {5, 17, 3},
                            {48, 16, 1024}, {7, 130, 33}, {131, 37, 1100}, {6, 1100, 129}};

Tensor random(const Shape& shape, DType dtype, uint64_t seed) {
  std::vector<double> x(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = uniform_f64({seed, 1}, i) - 0.5;
  return Tensor::from(x, shape).to(dtype);
}

struct Operands {
  Tensor a, b;
  Transpose transpose;
};

Operands operands_of(const Sizes& s, DType dtype, Transpose t) {
  return {random(t.a ? Shape{s.k, s.m} : Shape{s.m, s.k}, dtype, 1),
          random(t.b ? Shape{s.n, s.k} : Shape{s.k, s.n}, dtype, 2), t};
}

// The largest difference from sums in f64.
double error_of(const Sizes& s, DType dtype, Transpose t) {
  const Operands in = operands_of(s, dtype, t);
  const std::vector<double> a = in.a.to(DType::f64).to_vector<double>(),
                            b = in.b.to(DType::f64).to_vector<double>(),
                            y = matmul(in.a, in.b, t).to(DType::f64).to_vector<double>();
  std::vector<double> expected;
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < s.k; ++l)
        sum += a[static_cast<size_t>(t.a ? l * s.m + i : i * s.k + l)] *
               b[static_cast<size_t>(t.b ? j * s.k + l : l * s.n + j)];
      expected.push_back(sum);
    }
  return largest_difference(y, expected);
}

template <class F>
void for_each_case(const F& f) {
  for (const Sizes& s : kSizes)
    for (const Transpose t : {Transpose{}, {false, true}, {true, false}, {true, true}})
      BOOST_TEST_CONTEXT(s.m << "x" << s.n << "x" << s.k << (t.a ? " ta" : "") << (t.b ? " tb" : "")) f(s, t);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(matmul_test)

// Sums of up to 1100 products of at most 1/4: rounding errors are about 1e-14 in f64 and 1e-5 in f32.
BOOST_AUTO_TEST_CASE(every_instruction_set_is_the_reference) {
  for_each_instruction_set([] {
    for_each_case([](const Sizes& s, Transpose t) {
      BOOST_TEST(error_of(s, DType::f64, t) < 1e-13);
      BOOST_TEST(error_of(s, DType::f32, t) < 2e-5);
    });
  });
}

// x·xᵀ and xᵀ·x of two matrices, with rows below, at and beyond the blocks of a symmetric product.
template <class F>
void for_each_symmetric_case(const F& f) {
  for (const int64_t rows : {1, 31, 32, 33, 100, 130})
    for (const int64_t depth : {0, 1, 300})
      for (const bool a : {false, true}) BOOST_TEST_CONTEXT(rows << "x" << depth << (a ? " ta" : " tb"))
  f(random(a ? Shape{2, depth, rows} : Shape{2, rows, depth}, DType::f32, 3), Transpose{a, !a});
}

BOOST_AUTO_TEST_CASE(symmetric_products_are_their_own_transposes) {
  for_each_instruction_set([] {
    for_each_symmetric_case([](const Tensor& x, Transpose t) {
      const Tensor y = symmetric_matmul(x, x, t);
      const std::vector<float> found = y.to_vector<float>(), all = matmul(x, x, t).to_vector<float>();
      const int64_t n = y.size(1);
      int64_t wrong = 0;
      for (int64_t row = 0; row < 2 * n; ++row)
        for (int64_t j = 0; j <= row % n; ++j) {
          const auto at = static_cast<size_t>(row * n + j),
                     mirrored = static_cast<size_t>((row / n * n + j) * n + row % n);
          wrong += found[at] != all[at] || found[mirrored] != all[at];
        }
      BOOST_TEST(wrong == 0);
    });
  });
}

BOOST_AUTO_TEST_CASE(a_symmetric_product_must_be_square) {
  const Tensor a = Tensor::zeros({2, 3, 5}), b = Tensor::zeros({2, 5, 4});
  BOOST_TEST(
      error_of([&] { symmetric_matmul(a, b); }) ==
      "symmetric_matmul: [2,3,5] x [2,5,4]: a product of 3 rows and 4 columns is not symmetric (use matmul)");
}

BOOST_AUTO_TEST_CASE(threads_do_not_change_a_bit) {
  const auto product = [](const Operands& in, int n) {
    const Threads on(n);
    return matmul(in.a, in.b, in.transpose).to_vector<float>();
  };
  for_each_case([&](const Sizes& s, Transpose t) {
    const Operands in = operands_of(s, DType::f32, t);
    BOOST_TEST((product(in, 1) == product(in, 3)));
  });
  for_each_symmetric_case([](const Tensor& x, Transpose t) {
    const auto on_threads = [&](int n) {
      const Threads on(n);
      const Tensor first = x.rows(0, 1);
      return symmetric_matmul(first, first, t).to_vector<float>();
    };
    BOOST_TEST((on_threads(1) == on_threads(3)));
  });
}

// While has_few_rows holds, what a stream's predictions are must not depend on the streams that are read with it.
BOOST_AUTO_TEST_CASE(products_of_few_rows_do_not_depend_on_their_number) {
  const Sizes s{11, 70, 300};
  const Operands in = operands_of(s, DType::f32, {.b = true});
  const std::vector<float> all = matmul(in.a, in.b, in.transpose).to_vector<float>();
  for (const int64_t rows : {1, 2, 3, 7})
    BOOST_TEST((matmul(in.a.rows(0, rows), in.b, in.transpose).to_vector<float>() ==
                std::vector(all.begin(), all.begin() + rows * s.n)),
               rows << " rows");
}

BOOST_AUTO_TEST_CASE(products_of_few_rows_are_added) {
  const Sizes s{3, 13, 21};
  const Operands in = operands_of(s, DType::f64, {.b = true});
  const Tensor y = matmul(in.a, in.b, in.transpose), twice = y.clone();
  matmul_kernel(Device::cpu, in.a, in.b,
                {.batch = 1, .m = s.m, .n = s.n, .k = s.k, .transpose = in.transpose, .add = true}, twice);
  for (size_t i = 0; i < y.to_vector<double>().size(); ++i)
    BOOST_TEST(twice.to_vector<double>()[i] == 2 * y.to_vector<double>()[i]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
