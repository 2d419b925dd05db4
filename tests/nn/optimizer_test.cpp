// Optimizers against the same rules written for one number in double precision; clipping; schedules.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "nn/init.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
namespace {

// The textbook form of a rule for one scalar: parameter p and gradient g at step t (from 1) with learning
// rate lr. The closure keeps the moments.
using Naive = std::function<double(double p, double g, int t, double lr)>;

struct Sizes {
  static constexpr int64_t rows = 3, columns = 5;
};

double gradient_at(int step, int64_t i) { return std::sin(1.7 * step + 0.9 * static_cast<double>(i)); }

// Six steps of both, each with another learning rate and gradient. Returns the largest relative difference.
double error_over_six_steps(const OptimizerConfig& config, const std::function<Naive()>& make_naive,
                            Device device, DType dtype, double grad_scale = 1) {
  Parameters parameters(dtype, device);
  const Tensor leaf = parameters.add("p", {Sizes::rows, Sizes::columns}, Role::matrix);
  init_normal(leaf, {3, 0});
  std::vector<double> expected = leaf.to(DType::f64).to_vector<double>();
  std::vector<Naive> naive;
  for (size_t i = 0; i < expected.size(); ++i) naive.push_back(make_naive());

  Optimizer optimizer(config, parameters);
  for (int t = 1; t <= 6; ++t) {
    std::vector<double> g(expected.size());
    for (size_t i = 0; i < g.size(); ++i) g[i] = gradient_at(t, static_cast<int64_t>(i));
    leaf.set_grad(Tensor::from(g, leaf.shape()).to(dtype).to(device));
    const double factor = 1.0 / t;
    optimizer.step(factor, {.share = grad_scale});
    for (size_t i = 0; i < g.size(); ++i)
      expected[i] = naive[i](expected[i], g[i] * grad_scale, t, config.lr * factor);
  }
  BOOST_TEST(optimizer.steps() == 6);
  auto found = leaf.to(DType::f64).to_vector<double>();
  for (size_t i = 0; i < found.size(); ++i) {
    const double scale = std::max(std::abs(expected[i]), 0.1);
    found[i] /= scale;
    expected[i] /= scale;
  }
  return test::largest_difference(found, expected);
}

void check(const OptimizerConfig& config, const std::function<Naive()>& make_naive) {
  // f64: roundings of 2^-53 over six steps; f32: of 2^-24.
  for (const Device device : test::available_devices()) {
    BOOST_TEST(error_over_six_steps(config, make_naive, device, DType::f64) < 1e-14);
    BOOST_TEST(error_over_six_steps(config, make_naive, device, DType::f64, 0.25) < 1e-14);
    BOOST_TEST(error_over_six_steps(config, make_naive, device, DType::f32) < 5e-6);
  }
}

// Adam with bias-corrected moments, algorithm 1 of Kingma and Ba.
Naive adam(const OptimizerConfig& c, double l2, double decoupled) {
  return [=, m = 0.0, v = 0.0](double p, double g, int t, double lr) mutable {
    g += l2 * p;
    m = c.beta1 * m + (1 - c.beta1) * g;
    v = c.beta2 * v + (1 - c.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(c.beta1, t)), v_hat = v / (1 - std::pow(c.beta2, t));
    return p - lr * decoupled * p - lr * m_hat / (std::sqrt(v_hat) + c.eps);
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(optimizer)

BOOST_AUTO_TEST_CASE(sgd) {
  for (const double momentum : {0.0, 0.9})
    for (const double decay : {0.0, 0.1})
      check({.kind = OptimizerKind::sgd, .lr = 0.1, .momentum = momentum, .weight_decay = decay}, [=] {
        return [=, s = 0.0](double p, double g, int, double lr) mutable {
          s = momentum * s + g + decay * p;
          return p - lr * s;
        };
      });
}

BOOST_AUTO_TEST_CASE(adam_decays_through_the_gradient) {
  for (const double decay : {0.0, 0.1}) {
    const OptimizerConfig c{.kind = OptimizerKind::adam,
                            .lr = 0.1,
                            .beta1 = 0.8,
                            .beta2 = 0.95,
                            .eps = 1e-3,
                            .weight_decay = decay};
    check(c, [=] { return adam(c, decay, 0); });
  }
}

BOOST_AUTO_TEST_CASE(adamw_decays_apart_from_the_gradient) {
  const OptimizerConfig c{
      .kind = OptimizerKind::adamw, .lr = 0.1, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.1};
  check(c, [=] { return adam(c, 0, c.weight_decay); });
}

BOOST_AUTO_TEST_CASE(adagrad) {
  for (const double decay : {0.0, 0.1}) {
    const OptimizerConfig c{.kind = OptimizerKind::adagrad, .lr = 0.1, .eps = 1e-3, .weight_decay = decay};
    check(c, [=] {
      return [=, s = 0.0](double p, double g, int, double lr) mutable {
        g += decay * p;
        s += g * g;
        return p - lr * g / (std::sqrt(s) + c.eps);
      };
    });
  }
}

BOOST_AUTO_TEST_CASE(leaves_without_a_gradient_stay) {
  Parameters parameters(DType::f64, Device::cpu);
  const Tensor moved = parameters.add("moved", {2}, Role::matrix),
               still = parameters.add("still", {2}, Role::matrix);
  init_constant(moved, 1);
  init_constant(still, 1);
  moved.set_grad(Tensor::full({2}, 1, DType::f64));
  Optimizer({.kind = OptimizerKind::adamw, .lr = 0.1, .weight_decay = 0.5}, parameters).step(1);
  BOOST_TEST(moved.data<double>()[0] < 0.9);
  BOOST_TEST(still.data<double>()[0] == 1);
}

BOOST_AUTO_TEST_CASE(the_gradient_norm_is_over_all_leaves) {
  for (const Device device : test::available_devices()) {
    Parameters parameters(DType::f32, device);
    const Tensor a = parameters.add("a", {2}), b = parameters.add("b", {1, 2});
    parameters.add("without", {7});
    BOOST_TEST(grad_norm(parameters.leaves()).item() == 0);
    a.set_grad(Tensor::from(std::vector<float>{2, -4}, {2}).to(device));
    b.set_grad(Tensor::from(std::vector<float>{5, 6}, {1, 2}).to(device));
    BOOST_TEST(grad_norm(parameters.leaves()).item() == 9);
    // Squares beyond f32 are summed in f64.
    a.set_grad(Tensor::from(std::vector<float>{3e30f, 0}, {2}).to(device));
    b.set_grad(Tensor::from(std::vector<float>{4e30f, 0}, {1, 2}).to(device));
    BOOST_TEST(grad_norm(parameters.leaves()).item() == 5e30, boost::test_tools::tolerance(1e-6));
  }
}

// More tensors than one launch takes, some longer than the share of a thread block, and unaligned gradients.
BOOST_AUTO_TEST_CASE(every_device_updates_many_tensors_alike) {
  for (const DType dtype : {DType::f64, DType::f32})
    for (const bool of_a_view : {false, true}) {
      std::vector<double> norms;
      std::vector<std::vector<double>> values;
      for (const Device device : test::available_devices()) {
        Parameters parameters(dtype, device);
        for (int k = 0; k < 140; ++k)
          parameters.add(fmt::format("p{}", k), {k % 10 == 3 ? 4099 : k + 1},
                         k % 2 ? Role::matrix : Role::vector);
        for (const Tensor& leaf : parameters.leaves()) {
          const int64_t n = leaf.numel();
          std::vector<double> g(static_cast<size_t>(n + 1));
          for (int64_t i = 0; i <= n; ++i) g[static_cast<size_t>(i)] = gradient_at(static_cast<int>(n), i);
          leaf.copy_from(Tensor::zeros({n}, dtype, device));
          leaf.set_grad(Tensor::from(g, {n + 1}).to(dtype).to(device).rows(of_a_view, n + of_a_view));
        }
        Optimizer optimizer({.kind = OptimizerKind::adamw, .lr = 0.1, .weight_decay = 0.1}, parameters);
        const Tensor norm = grad_norm(parameters.leaves());
        optimizer.step(1, {.clip = 1}, norm);
        optimizer.step(1, {.clip = 1}, norm);
        norms.push_back(norm.item());
        values.emplace_back();
        for (const Tensor& leaf : parameters.leaves())
          for (const double v : leaf.to(DType::f64).to_vector<double>()) values.back().push_back(v);
      }
      for (size_t d = 1; d < norms.size(); ++d) {
        BOOST_TEST(norms[d] == norms[0], boost::test_tools::tolerance(1e-13));
        BOOST_TEST(test::largest_difference(values[d], values[0]) < (dtype == DType::f64 ? 1e-14 : 1e-6));
      }
    }
}

BOOST_AUTO_TEST_CASE(clipping_limits_the_norm_of_the_mean_gradient) {
  for (const Device device : test::available_devices()) {
    Parameters parameters(DType::f64, device);
    const Tensor leaf = parameters.add("leaf", {2});
    Optimizer optimizer({.kind = OptimizerKind::sgd, .lr = 1}, parameters);
    const auto moved = [&](const GradScale& scale) {
      leaf.copy_from(Tensor::zeros({2}, DType::f64, device));
      leaf.set_grad(Tensor::from(std::vector<double>{3, -4}, {2}).to(device));
      optimizer.step(1, scale, grad_norm(parameters.leaves()));
      return leaf.to_vector<double>();
    };
    const auto close = boost::test_tools::tolerance(1e-15);
    BOOST_TEST(moved({})[1] == 4, close);
    BOOST_TEST(moved({.share = 0.5})[1] == 2, close);
    BOOST_TEST(moved({.share = 0.5, .clip = 3})[1] == 2, close);  // the mean's norm is 2.5: below the limit
    BOOST_TEST(moved({.share = 0.5, .clip = 0.5})[1] == 0.4, close);
    BOOST_CHECK_THROW(optimizer.step(1, {.clip = 1}), Error);  // without a norm
  }
}

BOOST_AUTO_TEST_CASE(a_norm_that_is_not_finite_changes_nothing) {
  for (const Device device : test::available_devices()) {
    Parameters parameters(DType::f32, device);
    const Tensor a = parameters.add("a", {2}), b = parameters.add("b", {1});
    a.copy_from(Tensor::full({2}, 1));
    b.copy_from(Tensor::full({1}, 1));
    a.set_grad(Tensor::full({2}, 1, DType::f32, device));
    Optimizer optimizer({.kind = OptimizerKind::adam}, parameters);
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      b.set_grad(Tensor::full({1}, bad, DType::f32, device));
      const Tensor norm = grad_norm(parameters.leaves());
      BOOST_TEST(!std::isfinite(norm.item()));
      optimizer.step(1, {}, norm);
      BOOST_TEST(a.to_vector<float>()[0] == 1);
      for (const Parameter& p : optimizer.state())
        for (const float s : p.value().to_vector<float>()) BOOST_TEST(s == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(states_belong_to_parameters_by_name) {
  Parameters parameters(DType::f64, Device::cpu);
  const Tensor leaf = parameters.add_stacked({"key", "value"}, {1, 2});
  leaf.set_grad(Tensor::from(std::vector<double>{1, 2, 3, 4}, {2, 2}));
  Optimizer optimizer({.kind = OptimizerKind::adam, .beta1 = 0.5}, parameters);
  optimizer.step(1);
  std::vector<std::string> names;
  for (const Parameter& p : optimizer.state()) {
    names.push_back(p.name);
    if (p.name == "adam.m.value") BOOST_TEST(p.value().to_vector<double>()[1] == 2);  // (1 − β1)·4
  }
  const std::vector<std::string> expected{"adam.m.key", "adam.v.key", "adam.m.value", "adam.v.value"};
  BOOST_TEST(names == expected, boost::test_tools::per_element());
  // What two kinds call alike, each can take from the other.
  BOOST_TEST((state_names(OptimizerKind::adamw) == state_names(OptimizerKind::adam)));
  BOOST_TEST((state_names(OptimizerKind::sgd) == std::vector<std::string>{"sgd.momentum."}));
  BOOST_TEST((state_names(OptimizerKind::adagrad) == std::vector<std::string>{"adagrad.sum."}));
}

// A gradient of zero: whatever moves, weight decay has moved it.
BOOST_AUTO_TEST_CASE(weight_decay_moves_the_parameters_that_decay) {
  for (const Device device : test::available_devices())
    for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw,
                                     OptimizerKind::adagrad, OptimizerKind::muon}) {
      Parameters parameters(DType::f64, device);
      const std::vector<Tensor> leaves = {
          parameters.add("gain", {3}), parameters.add("matrix", {1, 3}, Role::matrix),
          parameters.add("table", {1, 3}, Role::table), parameters.add("bias", {3})};
      for (const Tensor& leaf : leaves) {
        init_constant(leaf, 2);
        leaf.set_grad(Tensor::zeros(leaf.shape(), DType::f64, device));
      }
      Optimizer({.kind = kind, .lr = 0.1, .weight_decay = 0.5}, parameters).step(1);
      BOOST_TEST(leaves[0].to_vector<double>()[2] == 2);
      BOOST_TEST(leaves[1].to_vector<double>()[2] < 2);
      BOOST_TEST(leaves[2].to_vector<double>()[2] < 2);
      BOOST_TEST(leaves[3].to_vector<double>()[2] == 2);
    }
}

BOOST_AUTO_TEST_CASE(schedules_at_their_corners) {
  const auto close = boost::test_tools::tolerance(1e-15);
  const Schedule constant{.kind = ScheduleKind::constant, .warmup = 4, .steps = 10};
  BOOST_TEST(constant.factor(1) == 0.25);
  BOOST_TEST(constant.factor(3) == 0.75);
  BOOST_TEST(constant.factor(4) == 1);
  BOOST_TEST(constant.factor(10) == 1);
  BOOST_TEST((Schedule{.kind = ScheduleKind::constant}.factor(1)) == 1);  // no warm-up

  const Schedule cosine{.kind = ScheduleKind::cosine, .warmup = 100, .steps = 500, .final = 0.2};
  BOOST_TEST(cosine.factor(50) == 0.5);
  BOOST_TEST(cosine.factor(100) == 1);
  BOOST_TEST(cosine.factor(200) == 0.2 + 0.4 * (1 + std::sqrt(0.5)), close);  // a quarter of the way
  BOOST_TEST(cosine.factor(300) == 0.6, close);                               // half of it
  BOOST_TEST(cosine.factor(500) == 0.2, close);
  BOOST_TEST(cosine.factor(600) == 0.2, close);  // beyond the end
  for (int64_t step = 101; step <= 500; ++step) BOOST_TEST(cosine.factor(step) < cosine.factor(step - 1));
  BOOST_TEST((Schedule{.kind = ScheduleKind::cosine, .warmup = 10, .steps = 10}.factor(10)) == 1);
}

BOOST_AUTO_TEST_CASE(a_schedule_that_falls_late) {
  const auto close = boost::test_tools::tolerance(1e-15);
  const Schedule late{.kind = ScheduleKind::cosine, .warmup = 100, .steps = 500, .final = 0.2, .decay = 0.25};
  BOOST_TEST(late.last_full_step() == 400);
  BOOST_TEST(late.factor(50) == 0.5);
  BOOST_TEST(late.factor(400) == 1);
  BOOST_TEST(late.factor(450) == 0.6, close);  // half of the way down
  BOOST_TEST(late.factor(500) == 0.2, close);
  for (int64_t step = 401; step <= 500; ++step) BOOST_TEST(late.factor(step) < late.factor(step - 1));
  const auto last_full_step = [](Schedule schedule) { return schedule.last_full_step(); };
  BOOST_TEST(last_full_step({.kind = ScheduleKind::constant, .warmup = 100, .steps = 500}) == 500);
  BOOST_TEST(last_full_step({.kind = ScheduleKind::cosine, .warmup = 100, .steps = 500}) == 100);
  BOOST_TEST(last_full_step({.kind = ScheduleKind::cosine, .warmup = 100, .steps = 60}) ==
             60);  // all warm-up
  BOOST_TEST(last_full_step({.kind = ScheduleKind::cosine, .steps = 10, .decay = 0.01}) ==
             9);                                                    // one falls at least
  const Schedule open{.kind = ScheduleKind::cosine, .warmup = 10};  // of a length that is not known
  BOOST_TEST(open.factor(5) == 0.5);
  BOOST_TEST(open.factor(1000) == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
