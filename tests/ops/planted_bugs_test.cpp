// Bugs planted on purpose, in every case of the table where they matter: a check must fail for each. A check
// that passes here would also miss a real bug.
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/primitives.h"
#include "ops/elementwise/elementwise.h"
#include "tests/ops/op_checks.h"

namespace fade {

/// Access to the tape for tests: nodes that can be rewritten, slots that can be read.
struct TapeTestAccess {
  static std::vector<Node>& nodes(Tape& tape) { return tape.nodes_; }
  static Tape& tape(BackwardCtx& ctx) { return ctx.tape_; }
  static Node& node(BackwardCtx& ctx) { return ctx.node_; }
  static Shape& slot_shape(Tape& tape, uint32_t slot) { return tape.slots_[slot].shape; }
  static Tensor& slot_gradient(Tape& tape, uint32_t slot) { return tape.slots_[slot].grad; }
};

namespace test {
namespace {

using Access = TapeTestAccess;

const OpDef* original = nullptr;  // the rule that a wrong one replaces

// Replaces the rule of the last recorded node by `wrong`.
Tamper replace_rule(const OpDef& wrong) {
  return [&wrong](Tape& tape, const Tensors&) {
    Node& n = Access::nodes(tape).back();
    original = std::exchange(n.op, &wrong);
  };
}

constexpr OpDef kZeroRule{"zero_rule", [](BackwardCtx&) {}};

constexpr OpDef kTimesMinusThree{"times_minus_three", [](BackwardCtx& ctx) {
                                   BackwardCtx wrong(Access::tape(ctx), Access::node(ctx),
                                                     scale(ctx.grad(), -3));
                                   original->backward(wrong);
                                 }};

// `g` at index 0 of the dimensions that were broadcast, instead of its sum over them.
Tensor first_slice(const Tensor& g, const Shape& shape) {
  const Values all = g.to_vector<double>();
  const auto stride = broadcast_strides(shape, g.shape());
  Values slice(static_cast<size_t>(shape.numel()));
  for (size_t i = all.size(); i-- > 0;) {  // backwards, so that the first element is written last
    int64_t at = 0, rest = static_cast<int64_t>(i);
    for (int d = g.shape().dims() - 1; d >= 0; --d) {
      at += rest % g.size(d) * stride[static_cast<size_t>(d)];
      rest /= g.size(d);
    }
    slice[static_cast<size_t>(at)] = all[i];
  }
  return Tensor::from(slice, shape).to(g.device());
}

constexpr OpDef kNoBroadcastSum{
    "no_broadcast_sum", [](BackwardCtx& ctx) {
      Tape& tape = Access::tape(ctx);
      const Node& n = Access::node(ctx);
      Shape shapes[kMaxInputs];
      for (int i = 0; i < n.input_count; ++i)  // pretend that the inputs had the shape of the result
        shapes[i] = std::exchange(Access::slot_shape(tape, n.inputs[i]), ctx.grad().shape());
      original->backward(ctx);
      for (int i = 0; i < n.input_count; ++i) {
        Access::slot_shape(tape, n.inputs[i]) = shapes[i];
        Tensor& g = Access::slot_gradient(tape, n.inputs[i]);
        g = first_slice(g, shapes[i]);
      }
    }};

// A rule that forgets input k. (A rule is never called without an input that needs a gradient: where none is
// left, it does nothing.)
Tamper drop_gradient(size_t k) {
  return [k](Tape& tape, const Tensors& inputs) {
    const uint32_t lost = inputs[k].impl()->slot;
    for (Node& n : Access::nodes(tape)) {
      int left = 0;
      for (int i = 0; i < n.input_count; ++i) {
        if (n.inputs[i] == lost) n.inputs[i] = kNoSlot;
        left += n.inputs[i] != kNoSlot;
      }
      if (left == 0) n.op = &kZeroRule;
    }
  };
}

// A rule that swaps the gradients of inputs j and k.
Tamper swap_gradients(size_t j, size_t k) {
  return [j, k](Tape& tape, const Tensors& inputs) {
    const uint32_t a = inputs[j].impl()->slot, b = inputs[k].impl()->slot;
    for (Node& n : Access::nodes(tape))
      for (int i = 0; i < n.input_count; ++i)
        if (uint32_t& slot = n.inputs[i]; slot == a || slot == b) slot = slot == a ? b : a;
  };
}

bool has_gradient(const OpCase& c, size_t k) {
  return c.inputs[k].role == Role::differentiable && !c.inputs[k].zero_gradient &&
         c.inputs[k].shape.numel() > 0 && c.shape.numel() > 0;
}

// Large cases show nothing more than small ones, and take long.
bool small(const OpCase& c) {
  for (const Input& in : c.inputs)
    if (in.shape.numel() > 1000) return false;
  return c.shape.numel() <= 1000;
}

void must_be_found(const OpCase& c, const char* bug, const Tamper& tamper) {
  BOOST_TEST(!check_gradient(c, Device::cpu, tamper).ok, c.name << " passes with a bug: " << bug);
}

// Calls f(case) for each case in which an input receives a gradient. There must be many.
template <class F>
void for_cases_with_gradients(const F& f) {
  int count = 0;
  for (const OpCase& c : op_cases()) {
    bool any = false;
    for (size_t k = 0; k < c.inputs.size(); ++k) any |= has_gradient(c, k);
    if (!any || !small(c)) continue;
    ++count;
    f(c);
  }
  BOOST_TEST(count > 100);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(planted_bugs)

BOOST_AUTO_TEST_CASE(a_rule_that_does_nothing) {
  for_cases_with_gradients([](const OpCase& c) { must_be_found(c, "no rule", replace_rule(kZeroRule)); });
}

BOOST_AUTO_TEST_CASE(a_rule_off_by_a_factor) {
  for_cases_with_gradients(
      [](const OpCase& c) { must_be_found(c, "times -3", replace_rule(kTimesMinusThree)); });
}

BOOST_AUTO_TEST_CASE(a_dropped_gradient) {
  for_cases_with_gradients([](const OpCase& c) {
    for (size_t k = 0; k < c.inputs.size(); ++k)
      if (has_gradient(c, k)) must_be_found(c, "an input forgotten", drop_gradient(k));
  });
}

BOOST_AUTO_TEST_CASE(swapped_gradients) {
  int count = 0;
  for_cases_with_gradients([&](const OpCase& c) {
    const Arrays right = tape_gradients(c, Device::cpu, DType::f64);
    for (size_t k = 1; k < c.inputs.size(); ++k)
      for (size_t j = 0; j < k; ++j) {
        if (!has_gradient(c, j) || !has_gradient(c, k) || c.inputs[j].shape != c.inputs[k].shape) continue;
        if (right[j] == right[k]) continue;  // a + b: swapping changes nothing
        must_be_found(c, "gradients swapped", swap_gradients(j, k));
        ++count;
      }
  });
  BOOST_TEST(count >= 10);
}

BOOST_AUTO_TEST_CASE(a_missing_broadcast_sum) {
  int count = 0;
  for (const OpCase& c : op_cases())
    if (c.broadcasts && small(c)) {
      must_be_found(c, "first slice instead of the sum", replace_rule(kNoBroadcastSum));
      ++count;
    }
  BOOST_TEST(count >= 20);
}

// Off-by-one at the boundary of a mask, a missing mask, a constant
// ten times too large: see `wrong` in the cases.
BOOST_AUTO_TEST_CASE(wrong_values) {
  int count = 0;
  for (const OpCase& c : op_cases())
    for (const WrongRun& wrong : c.wrong) {
      BOOST_TEST(!check_values(c, Device::cpu, wrong.run).ok, c.name << " passes with: " << wrong.what);
      ++count;
    }
  BOOST_TEST(count >= 20);
}

BOOST_AUTO_TEST_CASE(a_rule_that_gives_nan) {
  static constexpr OpDef kNan{"nan", [](BackwardCtx& ctx) {
                                BackwardCtx wrong(Access::tape(ctx), Access::node(ctx),
                                                  scale(ctx.grad(), std::nan("")));
                                original->backward(wrong);
                              }};
  for_cases_with_gradients([](const OpCase& c) { must_be_found(c, "NaN", replace_rule(kNan)); });
}

BOOST_AUTO_TEST_CASE(saved_bytes_that_are_not_declared) {
  for (OpCase c : op_cases()) {
    c.saved_bytes += 8;
    BOOST_TEST(!check_saved_bytes(c, Device::cpu).ok, c.name);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace test
}  // namespace fade
