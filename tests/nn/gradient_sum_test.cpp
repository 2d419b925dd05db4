// In which order buckets of gradients leave, and when: seen in one process, where the sums do nothing but tell.
#include "nn/gradient_sum.h"

#include <boost/test/unit_test.hpp>

#include "engine/observe.h"
#include "ops/elementwise/elementwise.h"
#include "tests/support.h"

namespace fade::test {
namespace {

using Events = std::vector<std::string>;

Events* events = nullptr;

/// Tells which buckets start, by their first numbers.
struct ToldSummation : Summation {
  void start(const Tensor& flat) override {
    events->push_back(fmt::format("sum {}", flat.data<double>()[0]));
  }
  void finish() override { events->push_back("finish"); }
};

/// Tells which nodes are done.
struct ToldNodes : TapeObserver {
  void on_output(const OpDef&, size_t, const Tensor&, std::initializer_list<const Tensor*>) override {}
  void on_gradient(const OpDef&, size_t, int, const Tensor&) override {}
  void on_done(size_t node) override { events->push_back(fmt::format("node {}", node)); }
};

/// Leaves 2, 3, 5 in buckets of their own, and what happens.
struct Leaving {
  Events told;
  Parameters parameters{DType::f64};
  Tensor a = leaf("a", 2), b = leaf("b", 3), c = leaf("c", 5);
  Tape tape;

  Leaving() {
    events = &told;
    register_summation(Device::cpu, [](const Ranks&) -> std::unique_ptr<Summation> {
      return std::make_unique<ToldSummation>();
    });
  }
  Tensor leaf(const char* name, double value) {
    const Tensor t = parameters.add(name, {1});
    t.mutate<double>()[0] = value;
    return t;
  }
  /// Backward of the product, from left to right.
  void backward_of(std::initializer_list<Tensor> factors) {
    const Recording on(tape);
    ToldNodes nodes;
    const Observing observing(tape, nodes);
    Tensor product = Tensor::full({1}, 1, DType::f64);
    for (const Tensor& factor : factors) product = mul(product, factor);
    backward(product);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(gradient_sum, Leaving)

BOOST_AUTO_TEST_CASE(buckets_leave_while_backward_walks) {
  GradientSum sum(parameters, Ranks::alone(), 1);
  {
    const GradientSum::Overlap on(sum, tape);
    backward_of({a, b, c});
  }
  const Tensor extra = sum.finish(Tensor::scalar(7, DType::f64));
  BOOST_TEST((told == Events{"node 2", "sum 6", "node 1", "sum 10", "node 0", "sum 15", "finish"}));
  BOOST_TEST(extra.item() == 7.0);
  BOOST_TEST(a.grad().item() == 15.0);
}

// Another rank may use the leaves in another order, or not at all: the sums must be the same ones.
BOOST_AUTO_TEST_CASE(buckets_leave_in_one_order) {
  GradientSum sum(parameters, Ranks::alone(), 1);
  {
    const GradientSum::Overlap on(sum, tape);
    backward_of({c, b, a});
  }
  sum.finish(Tensor::scalar(0, DType::f64));
  BOOST_TEST((told == Events{"node 2", "node 1", "node 0", "sum 6", "sum 10", "sum 15", "finish"}));
}

BOOST_AUTO_TEST_CASE(leaves_that_are_not_used_count_as_zeros) {
  GradientSum sum(parameters, Ranks::alone(), 1);
  for (int step = 0; step < 2; ++step) {  // the second must not see numbers of the first
    parameters.zero_grad();
    told.clear();
    {
      const GradientSum::Overlap on(sum, tape);
      if (step == 0)
        backward_of({a, b, c});
      else
        backward_of({a, c});
    }
    sum.finish(Tensor::scalar(0, DType::f64));
  }
  BOOST_TEST((told == Events{"node 1", "sum 2", "node 0", "sum 0", "sum 5", "finish"}));
  BOOST_TEST(!b.grad());
}

BOOST_AUTO_TEST_CASE(earlier_blocks_are_included) {
  GradientSum sum(parameters, Ranks::alone(), 1);
  backward_of({a, c});
  told.clear();
  {
    const GradientSum::Overlap on(sum, tape);
    backward_of({a, b});
  }
  sum.finish(Tensor::scalar(0, DType::f64));
  // c from the first block only, b from the second only, a from both.
  BOOST_TEST((told == Events{"node 1", "node 0", "sum 2", "sum 2", "sum 8", "finish"}));
}

BOOST_AUTO_TEST_CASE(leaves_share_buckets_up_to_a_size) {
  GradientSum sum(parameters, Ranks::alone(), 2 * sizeof(double));
  {
    const GradientSum::Overlap on(sum, tape);
    backward_of({a, b, c});
  }
  sum.finish(Tensor::scalar(0, DType::f64));
  BOOST_TEST((told == Events{"node 2", "node 1", "sum 6", "node 0", "sum 15", "finish"}));
  BOOST_TEST(b.grad().item() == 10.0);
}

BOOST_AUTO_TEST_CASE(what_it_refuses) {
  BOOST_TEST(contains(error_of([] { GradientSum(Parameters(), Ranks::alone()); }), "no parameters"));
  GradientSum sum(parameters, Ranks::alone());
  const GradientSum::Overlap on(sum, tape);
  backward_of({a, b});
  BOOST_TEST(contains(error_of([&] { backward_of({a, b}); }), "a second backward before finish()"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
