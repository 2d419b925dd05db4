// Muon against the same update written with plain loops, and what its orthogonal factors must be.
#include "nn/muon.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/product_precision.h"
#include "nn/init.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"
#include "tests/threads.h"

namespace fade {
namespace {

// A matrix of doubles.
struct Matrix {
  int64_t rows, columns;
  std::vector<double> v;
  double& at(int64_t i, int64_t j) { return v[static_cast<size_t>(i * columns + j)]; }
  double at(int64_t i, int64_t j) const { return v[static_cast<size_t>(i * columns + j)]; }
};

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix y{a.rows, b.columns, std::vector<double>(static_cast<size_t>(a.rows * b.columns))};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < b.columns; ++j)
      for (int64_t k = 0; k < a.columns; ++k) y.at(i, j) += a.at(i, k) * b.at(k, j);
  return y;
}

Matrix transposed(const Matrix& a) {
  Matrix y{a.columns, a.rows, a.v};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.columns; ++j) y.at(j, i) = a.at(i, j);
  return y;
}

// Five Newton-Schulz iterations, each of its powers written out, always with x·xᵀ.
Matrix naive_factor(Matrix x) {
  double squares = 0;
  for (const double e : x.v) squares += e * e;
  for (double& e : x.v) e /= std::sqrt(squares) + 1e-12;
  for (int iteration = 0; iteration < 5; ++iteration) {
    const Matrix gram = product(x, transposed(x)), third = product(gram, x), fifth = product(gram, third);
    for (size_t i = 0; i < x.v.size(); ++i)
      x.v[i] = 3.4445 * x.v[i] - 4.775 * third.v[i] + 2.0315 * fifth.v[i];
  }
  return x;
}

Matrix random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
  const Tensor t = Tensor::zeros({rows, columns}, DType::f64);
  init_normal(t, {seed, 0});
  return {rows, columns, t.to_vector<double>()};
}

Tensor on(Device device, const Matrix& m, const Shape& shape, DType dtype = DType::f64) {
  return Tensor::from(m.v, shape).to(dtype).to(device);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(muon)

BOOST_AUTO_TEST_CASE(orthogonal_factors_are_those_of_the_iteration) {
  for (const Device device : test::available_devices())
    for (const auto& [rows, columns] :
         std::initializer_list<std::pair<int64_t, int64_t>>{{1, 1}, {5, 5}, {3, 7}, {8, 2}}) {
      Matrix both{2 * rows, columns, {}};
      std::vector<double> expected;
      for (const uint64_t seed : {1, 2}) {
        const Matrix m = random_matrix(rows, columns, seed);
        both.v.insert(both.v.end(), m.v.begin(), m.v.end());
        const Matrix factor = naive_factor(m);
        expected.insert(expected.end(), factor.v.begin(), factor.v.end());
      }
      const Tensor found = orthogonalise(on(device, both, {2, rows, columns}));
      BOOST_TEST(test::largest_difference(found.to_vector<double>(), expected) < 1e-13);
      const Tensor f32 = orthogonalise(on(device, both, {2, rows, columns}, DType::f32));
      BOOST_TEST(test::largest_difference(f32.to(DType::f64).to_vector<double>(), expected) < 1e-4);
    }
}

// A diagonal matrix shows what happens to each singular value.
BOOST_AUTO_TEST_CASE(singular_values_become_about_one) {
  const std::vector<double> sigma{1, 0.5, 0.1, 0.01, 0.0044, 0.0023};  // 1/500 of the norm, and more
  for (const int64_t columns : {7, 12}) {                              // almost square and not
    Matrix m{6, columns, std::vector<double>(static_cast<size_t>(6 * columns))};
    for (int64_t i = 0; i < 6; ++i) m.at(i, i) = 1e-6 * sigma[static_cast<size_t>(i)];  // of any size
    const Matrix found{6, columns, orthogonalise(on(Device::cpu, m, {1, 6, columns})).to_vector<double>()};
    for (int64_t i = 0; i < 6; ++i)
      for (int64_t j = 0; j < columns; ++j)
        if (i == j)
          BOOST_TEST((found.at(i, i) > 0.68 && found.at(i, i) < 1.21), i << ": " << found.at(i, i));
        else
          BOOST_TEST(found.at(i, j) == 0);
  }
  const Tensor zeros = orthogonalise(Tensor::zeros({2, 3, 4}));
  BOOST_TEST(test::largest_difference(zeros.to(DType::f64).to_vector<double>(), std::vector<double>(24)) ==
             0);
  // Elements whose squares are zero in f32: an update that is next to nothing.
  const Tensor tiny = orthogonalise(Tensor::full({1, 64, 64}, 2e-23));
  for (const float e : tiny.to_vector<float>()) BOOST_TEST((e > 0 && e < 1e-7f));
}

// Two matrices share a leaf, one is tall, one a convolution's, and a table and a bias are updated as by AdamW.
BOOST_AUTO_TEST_CASE(matrices_move_by_their_orthogonal_factors) {
  const OptimizerConfig config{
      .kind = OptimizerKind::muon, .lr = 0.02, .muon_momentum = 0.8, .weight_decay = 0.3};
  const OptimizerConfig adamw{.kind = OptimizerKind::adamw, .lr = 0.02, .weight_decay = 0.3};
  constexpr double kClip = 0.5;
  for (const Device device : test::available_devices()) {
    Parameters parameters(DType::f64, device), others(DType::f64, device);
    const Tensor pair = parameters.add_stacked({"a", "b"}, {4, 4}, Role::matrix);
    parameters.add("square", {4, 4}, Role::matrix);
    parameters.add("tall", {6, 3}, Role::matrix);
    parameters.add("conv", {3, 2, 2}, Role::matrix);
    parameters.add("table", {3, 3}, Role::table);
    parameters.add("bias", {3});
    others.add("table", {3, 3}, Role::table);
    others.add("bias", {3});
    std::vector<Matrix> value, average;
    for (const Parameter& p : parameters.all()) {
      init_normal(p.leaf, {7, 0});
      if (p.role == Role::matrix) {
        const int64_t rows = p.end - p.begin;
        value.push_back({rows, p.value().numel() / rows, {}});
        average.push_back(value.back());
        average.back().v.resize(static_cast<size_t>(p.value().numel()));
      }
    }
    for (size_t i = 0; i < value.size(); ++i) value[i].v = parameters.all()[i].value().to_vector<double>();
    for (const Parameter& p : others.all()) p.leaf.copy_from(parameters.find(p.name).leaf);

    Optimizer optimizer(config, parameters), as_adamw(adamw, others);
    for (uint64_t t = 1; t <= 3; ++t) {
      for (const Tensor& leaf : parameters.leaves()) {
        const Tensor g = Tensor::zeros(leaf.shape(), DType::f64);
        init_normal(g, {100 + t, static_cast<uint64_t>(leaf.numel())});
        leaf.set_grad(g.to(device));
      }
      for (const Parameter& p : others.all()) p.leaf.set_grad(parameters.find(p.name).grad());
      const Tensor norm = grad_norm(parameters.leaves());
      const double factor = kClip / norm.item(), lr = config.lr / static_cast<double>(t);
      for (size_t i = 0; i < value.size(); ++i) {
        const auto g = parameters.all()[i].grad().to_vector<double>();
        Matrix ahead = average[i];
        for (size_t k = 0; k < g.size(); ++k) {
          average[i].v[k] = 0.8 * average[i].v[k] + 0.2 * factor * g[k];
          ahead.v[k] = 0.8 * average[i].v[k] + 0.2 * factor * g[k];
        }
        const Matrix o = naive_factor(ahead);
        const double size = 0.2 * std::sqrt(static_cast<double>(std::max(o.rows, o.columns)));
        for (size_t k = 0; k < g.size(); ++k)
          value[i].v[k] = (1 - 0.3 * lr) * value[i].v[k] - lr * size * o.v[k];
      }
      optimizer.step(1.0 / static_cast<double>(t), {.clip = kClip}, norm);
      as_adamw.step(1.0 / static_cast<double>(t), {.clip = kClip}, norm);
    }
    for (size_t i = 0; i < value.size(); ++i)
      BOOST_TEST(
          test::largest_difference(parameters.all()[i].value().to_vector<double>(), value[i].v) < 1e-13,
          parameters.all()[i].name);
    for (const Parameter& p : others.all())
      BOOST_TEST((p.value().to_vector<double>() == parameters.find(p.name).value().to_vector<double>()),
                 p.name);
    std::vector<std::string> names;
    for (const Parameter& p : optimizer.state()) names.push_back(p.name);
    const std::vector<std::string> expected{
        "muon.momentum.a",    "muon.momentum.b",    "muon.momentum.square",
        "muon.momentum.tall", "muon.momentum.conv", "adam.m.table",
        "adam.v.table",       "adam.m.bias",        "adam.v.bias"};
    BOOST_TEST(names == expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_norm_that_is_not_finite_moves_no_matrix) {
  for (const Device device : test::available_devices()) {
    Parameters parameters(DType::f32, device);
    const Tensor leaf = parameters.add("matrix", {2, 2}, Role::matrix);
    init_constant(leaf, 1);
    leaf.set_grad(Tensor::full({2, 2}, std::numeric_limits<double>::infinity(), DType::f32, device));
    Optimizer optimizer({.kind = OptimizerKind::muon, .weight_decay = 0.5}, parameters);
    optimizer.step(1, {}, grad_norm(parameters.leaves()));
    BOOST_TEST((leaf.to_vector<float>() == std::vector<float>(4, 1)));
    BOOST_TEST((optimizer.state().front().value().to_vector<float>() == std::vector<float>(4, 0)));
  }
}

// Wide matrices are orthogonalised through the product of x and xᵀ, whose small eigenvalues are rounding errors
// in f32. By Weyl's inequality each singular value in f32 is within the norm of the difference of that in f64.
BOOST_AUTO_TEST_CASE(f32_is_near_f64_for_matrices_of_any_condition) {
  constexpr int64_t kRows = 24, kColumns = 96;
  const Matrix even = random_matrix(kRows, kColumns, 1);
  Matrix graded = even, alike = even;
  for (int64_t i = 0; i < kRows; ++i)
    for (int64_t j = 0; j < kColumns; ++j) {
      graded.at(i, j) *= std::pow(10.0, -8.0 * static_cast<double>(i) / kRows);
      alike.at(i, j) = 1 + 1e-4 * even.at(i, j);
    }
  const auto of_rank = [](int64_t rank) {
    return product(random_matrix(kRows, rank, 2), random_matrix(rank, kColumns, 3));
  };
  const std::pair<const char*, Matrix> matrices[] = {
      {"even", even}, {"graded", graded}, {"alike", alike}, {"rank 1", of_rank(1)}, {"rank 12", of_rank(12)}};
  for (const Device device : test::available_devices())
    for (const auto& [name, matrix] : matrices)
      for (const bool tall : {false, true}) BOOST_TEST_CONTEXT(name << (tall ? ", tall" : ", wide")) {
          const Matrix m = tall ? transposed(matrix) : matrix;
          const Tensor f32 = on(device, m, {1, m.rows, m.columns}, DType::f32);
          const Tensor rounded = f32.to(DType::f64);
          const Matrix expected = naive_factor({m.rows, m.columns, rounded.to_vector<double>()});
          const std::vector<double> found = orthogonalise(f32).to(DType::f64).to_vector<double>();
          double squares = 0;
          for (size_t i = 0; i < found.size(); ++i) squares += std::pow(found[i] - expected.v[i], 2);
          BOOST_TEST(std::sqrt(squares) < 3e-3);
        }
}

// The eigenvalues that rounding to TF32 makes negative must not grow.
BOOST_AUTO_TEST_CASE(tf32_stays_in_the_band) {
  const ProductPrecisionScope on_tensor_cores(ProductPrecision::tf32);
  const Matrix m = product(random_matrix(24, 2, 2), random_matrix(2, 96, 3));
  const std::vector<double> expected = naive_factor(m).v;
  for (const Device device : test::available_devices()) {
    const Tensor found = orthogonalise(on(device, m, {1, m.rows, m.columns}, DType::f32));
    BOOST_TEST(test::largest_difference(found.to(DType::f64).to_vector<double>(), expected) < 0.02);
  }
}

// Of two threads each takes whole leaves; seven share the products of each, which are large enough.
BOOST_AUTO_TEST_CASE(threads_do_not_change_a_bit) {
  const auto weights_of = [](int count) {
    const test::Threads on(count);
    Parameters parameters(DType::f32, Device::cpu);
    parameters.add_stacked({"a", "b"}, {100, 100}, Role::matrix);
    parameters.add("tall", {300, 100}, Role::matrix);
    parameters.add("wide", {100, 300}, Role::matrix);
    for (const Tensor& leaf : parameters.leaves()) {
      init_normal(leaf, {7, 0});
      leaf.set_grad(leaf.clone());
    }
    Optimizer optimizer({.kind = OptimizerKind::muon}, parameters);
    optimizer.step();
    std::vector<float> all;
    for (const Tensor& leaf : parameters.leaves())
      for (const float w : leaf.to_vector<float>()) all.push_back(w);
    return all;
  };
  const std::vector<float> alone = weights_of(1);
  BOOST_TEST((weights_of(2) == alone));
  BOOST_TEST((weights_of(7) == alone));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
