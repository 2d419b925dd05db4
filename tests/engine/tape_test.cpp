// The tape: gradients, ownership, errors, memory, and mistakes that tapes often make. (What users do wrong with
// it is in misuse_test.cpp.)
#include "engine/tape.h"

#include <boost/test/unit_test.hpp>

#include "engine/error.h"
#include "engine/observe.h"
#include "ops/elementwise/elementwise.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "tests/support.h"

namespace fade {
namespace {

using test::contains, test::error_of;

Tensor leaf(double value, const Shape& shape = {}) {
  Tensor t = Tensor::full(shape, value, DType::f64);
  t.set_requires_grad();
  return t;
}

// a·b with optional b: an operation that records an omitted argument.
constexpr OpDef kMaybeMul{"maybe_mul", [](BackwardCtx& ctx) {
                            const Tensor b = ctx.saved(1);
                            ctx.add(0, b ? mul(ctx.grad(), b) : ctx.grad());
                            if (ctx.needs(1)) ctx.add(1, mul(ctx.grad(), ctx.saved(0)));
                          }};
Tensor maybe_mul(const Tensor& a, const Tensor& b) {
  Tensor y = [&] {
    const NoGrad off;
    return b ? mul(a, b) : a.clone();
  }();
  record(kMaybeMul, y, {&a, &b}, {&a, &b});
  return y;
}

// What a tape tells during backward, in order: "node 2" is done; "b 10": the gradient of b is 10, and final.
struct Told : TapeObserver {
  std::vector<std::string> events;
  std::vector<std::pair<std::string, Tensor>> leaves;

  Told(Tape& tape, std::vector<std::pair<std::string, Tensor>> named)
      : leaves(std::move(named)), tape_(tape) {
    tape.observe(this);
    tape.on_final([this](const Tensor& leaf, const Tensor& gradient) {
      for (const auto& [name, tensor] : leaves)
        if (tensor.impl() == leaf.impl())
          events.push_back(gradient ? fmt::format("{} {}", name, gradient.item()) : name + " none");
    });
  }
  ~Told() override {
    tape_.observe(nullptr);
    tape_.on_final({});
  }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  void on_output(const OpDef&, size_t, const Tensor&, std::initializer_list<const Tensor*>) override {}
  void on_gradient(const OpDef&, size_t, int, const Tensor&) override {}
  void on_done(size_t node) override { events.push_back(fmt::format("node {}", node)); }

 private:
  Tape& tape_;
};

using Events = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_SUITE(tape)

// add() gives the same gradient tensor to both inputs. Accumulating into one in place would change the other.
BOOST_AUTO_TEST_CASE(the_same_gradient_given_to_two_inputs) {
  const Tensor a = leaf(5), b = leaf(7);
  const Recording on;
  backward(add(mul(a, b), add(a, b)));
  BOOST_TEST(a.grad().item() == 8.0);  // b + 1
  BOOST_TEST(b.grad().item() == 6.0);  // a + 1
}

// The same, where one of them is then added to by its rule (BackwardCtx::into), which reads the other afterwards.
BOOST_AUTO_TEST_CASE(a_gradient_that_two_hold_is_not_added_to_in_place) {
  const Tensor a = leaf(5, {1, 1}), b = leaf(7, {1, 1});
  const Recording on;
  backward(add(matmul(a, b), a));
  BOOST_TEST(a.grad().item() == 8.0);  // b + 1
  BOOST_TEST(b.grad().item() == 5.0);
}

BOOST_AUTO_TEST_CASE(a_product_with_itself) {
  const Tensor a = leaf(5, {1, 1});
  const Recording on;
  backward(matmul(matmul(a, a), a));
  BOOST_TEST(a.grad().item() == 75.0);
}

BOOST_AUTO_TEST_CASE(a_tensor_used_as_both_inputs) {
  const Tensor a = leaf(5);
  const Recording on;
  backward(mul(a, a));
  BOOST_TEST(a.grad().item() == 10.0);
}

BOOST_AUTO_TEST_CASE(gradients_of_two_leaves_do_not_share_memory) {
  const Tensor a = leaf(5), b = leaf(7);
  const Recording on;
  backward(add(a, b));
  a.grad().mutate<double>()[0] = 100;
  BOOST_TEST(b.grad().item() == 1.0);
}

BOOST_AUTO_TEST_CASE(the_cotangent_is_left_alone) {
  const Tensor a = leaf(5, {2}), cotangent = Tensor::full({2}, 3, DType::f64);
  Tape tape;
  const Recording on(tape);
  tape.backward(reshape(a, {2}), cotangent);
  tape.backward(reshape(a, {2}), cotangent);
  BOOST_TEST(a.grad().to_vector<double>()[1] == 6.0);
  BOOST_TEST(cotangent.to_vector<double>()[1] == 3.0);
}

BOOST_AUTO_TEST_CASE(gradients_accumulate_until_zeroed) {
  const Tensor a = leaf(5);
  const Recording on;
  backward(mul(a, a));
  backward(scale(a, 3));
  BOOST_TEST(a.grad().item() == 13.0);
  a.zero_grad();
  BOOST_TEST(!a.grad());
  backward(scale(a, 3));
  BOOST_TEST(a.grad().item() == 3.0);
}

BOOST_AUTO_TEST_CASE(a_saved_tensor_that_was_modified_is_noticed) {
  const Tensor a = leaf(5), b = leaf(7);
  const Recording on;
  const Tensor y = mul(a, b);
  b.mutate<double>()[0] = 8;
  BOOST_TEST(
      contains(error_of([&] { backward(y); }), "mul: a tensor saved for backward was modified in place"));
}

BOOST_AUTO_TEST_CASE(a_failed_backward_leaves_nothing_behind) {
  const Tensor a = leaf(5), b = leaf(7);
  Tape tape;
  const Recording on(tape);
  const Tensor y = add(mul(a, b), a);
  b.mutate<double>()[0] = 8;
  BOOST_CHECK_THROW(tape.backward(y), Error);
  BOOST_TEST(tape.size() == 0u);
  BOOST_TEST(!a.grad());
  tape.backward(scale(a, 2));
  BOOST_TEST(a.grad().item() == 2.0);
}

BOOST_AUTO_TEST_CASE(a_modified_tensor_that_was_not_saved_is_fine) {
  const Tensor a = leaf(5), b = leaf(7);
  const Recording on;
  const Tensor y = add(a, b);
  b.mutate<double>()[0] = 8;
  backward(y);
  BOOST_TEST(a.grad().item() == 1.0);
}

BOOST_AUTO_TEST_CASE(a_gradient_is_final_after_the_first_node_that_uses_the_leaf) {
  const Tensor a = leaf(2), b = leaf(3), c = leaf(5), unused = leaf(7);
  Tape tape;
  Told told(tape, {{"a", a}, {"b", b}, {"c", c}, {"unused", unused}});
  const Recording on(tape);
  scale(unused, 2);
  tape.backward(mul(mul(mul(scale(a, 2), b), c), b));  // 2·a·b²·c
  BOOST_TEST((told.events == Events{"node 4", "node 3", "c 36", "node 2", "b 120", "node 1", "a 90", "node 0",
                                    "unused none"}));
  BOOST_TEST(a.grad().item() == 90.0);
  BOOST_TEST(b.grad().item() == 120.0);
  BOOST_TEST(c.grad().item() == 36.0);
  BOOST_TEST(!unused.grad());
}

BOOST_AUTO_TEST_CASE(a_final_gradient_is_that_of_one_backward) {
  const Tensor a = leaf(2);
  Tape tape;
  Told told(tape, {{"a", a}});
  const Recording on(tape);
  tape.backward(scale(a, 3));
  tape.backward(scale(a, 4));
  BOOST_TEST((told.events == Events{"node 0", "a 3", "node 0", "a 4"}));
  BOOST_TEST(a.grad().item() == 7.0);
}

BOOST_AUTO_TEST_CASE(a_backward_that_fails_has_told_what_was_final) {
  const Tensor a = leaf(2), b = leaf(3), c = leaf(5);
  Tape tape;
  Told told(tape, {{"a", a}, {"b", b}, {"c", c}});
  const Recording on(tape);
  const Tensor y = mul(mul(a, b), c);
  b.mutate<double>()[0] = 8;
  BOOST_CHECK_THROW(tape.backward(y), Error);
  BOOST_TEST((told.events == Events{"node 1", "c 6"}));
  BOOST_TEST(!c.grad());
}

BOOST_AUTO_TEST_CASE(no_grad_is_a_hole) {
  const Tensor a = leaf(5);
  Tape tape;
  const Recording on(tape);
  Tensor constant;
  {
    const NoGrad off;
    constant = mul(a, a);
    BOOST_TEST(tape.size() == 0u);
  }
  tape.backward(mul(constant, a));
  BOOST_TEST(a.grad().item() == 25.0);
}

BOOST_AUTO_TEST_CASE(constants_are_not_recorded) {
  const Tensor a = Tensor::full({3}, 2), b = leaf(2);
  Tape tape;
  const Recording on(tape);
  add(a, a);
  mul(b.detach(), b.detach());
  BOOST_TEST(tape.size() == 0u);
}

BOOST_AUTO_TEST_CASE(a_loss_of_many_elements_with_a_cotangent) {
  const Tensor a = leaf(5, {2, 3});
  const Recording on;
  backward(mul(a, a), Tensor::full({2, 3}, 1, DType::f64));
  BOOST_TEST(a.grad().to_vector<double>()[5] == 10.0);
}

BOOST_AUTO_TEST_CASE(a_tensor_of_an_earlier_step_is_a_constant) {
  const Tensor a = leaf(5);
  Tape tape;
  const Recording on(tape);
  const Tensor memory = mul(a, a);
  tape.backward(memory);
  a.zero_grad();
  tape.backward(mul(memory, a));
  BOOST_TEST(a.grad().item() == 25.0);  // not 75: no gradient flows into the first step
}

BOOST_AUTO_TEST_CASE(a_leaf_used_on_two_tapes) {
  const Tensor a = leaf(5), b = leaf(7);
  Tape outer;
  const Recording on(outer);
  const Tensor y = mul(b, scale(a, 2));
  {
    const Recording inside;
    backward(scale(a, 3));
    BOOST_TEST(a.grad().item() == 3.0);
  }
  outer.backward(add(y, a));
  BOOST_TEST(a.grad().item() == 3.0 + 14.0 + 1.0);
  BOOST_TEST(b.grad().item() == 10.0);
}

BOOST_AUTO_TEST_CASE(an_omitted_input) {
  const Tensor a = leaf(5), b = leaf(7);
  const Recording on;
  backward(add(maybe_mul(a, b), maybe_mul(a, {})));
  BOOST_TEST(a.grad().item() == 8.0);
  BOOST_TEST(b.grad().item() == 5.0);
}

BOOST_AUTO_TEST_CASE(a_reshape_shares_memory_and_passes_the_gradient) {
  const Tensor a = leaf(5, {2, 3});
  const Recording on;
  const Tensor y = reshape(a, {3, 2});
  BOOST_TEST(y.data<double>() == a.data<double>());
  backward(sum(mul(y, y)));
  BOOST_TEST(a.grad().shape().str() == "[2,3]");
  BOOST_TEST(a.grad().to_vector<double>()[3] == 10.0);
}

BOOST_AUTO_TEST_CASE(a_chain_of_a_million) {
  const Tensor a = leaf(1, {1}), step = Tensor::full({1}, 1e-6, DType::f64);
  Tape tape;
  const Recording on(tape);
  Tensor y = a;
  for (int i = 0; i < 1'000'000; ++i) y = add(y, step);
  BOOST_TEST(tape.size() == 1'000'000u);
  BOOST_TEST(y.item() == 2.0, boost::test_tools::tolerance(1e-9));
  tape.backward(y);
  BOOST_TEST(a.grad().item() == 1.0);
}

namespace {

// The peak of memory during backward minus the live memory before it, for a chain of `depth` products.
int64_t extra_peak(int depth) {
  const Tensor a = leaf(1, {1000});
  Tape tape;
  const Recording on(tape);
  Tensor y = a;
  for (int i = 0; i < depth; ++i) y = mul(y, a);
  const Tensor loss = sum(y);
  y = {};
  const int64_t before = memory_stats(Device::cpu).live;
  reset_peak(Device::cpu);
  tape.backward(loss);
  return memory_stats(Device::cpu).peak - before;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_extra_peak_of_backward_does_not_grow_with_depth) {
  const int64_t shallow = extra_peak(10), deep = extra_peak(1000);
  BOOST_TEST(shallow > 0);
  BOOST_TEST(deep <= shallow);
}

BOOST_AUTO_TEST_CASE(all_memory_comes_back) {
  const int64_t before = memory_stats(Device::cpu).live;
  for (const bool go_back : {true, false}) {
    const Tensor a = leaf(2, {100});
    const Recording on;
    const Tensor y = sum(mul(add(a, a), a));
    if (go_back) backward(y);
    BOOST_TEST(memory_stats(Device::cpu).live > before);
  }
  BOOST_TEST(memory_stats(Device::cpu).live == before);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
