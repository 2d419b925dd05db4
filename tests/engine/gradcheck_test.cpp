// gradcheck: right gradients pass, planted bugs are found and their cause is named, kinks are named.
#include "engine/gradcheck.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <utility>

#include "engine/tape.h"
#include "ops/elementwise/elementwise.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/layout/layout.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "ops/softmax/softmax.h"
#include "tests/ops/op_checks.h"
#include "tests/support.h"

namespace fade {
namespace {

using test::available_devices, test::contains, test::error_of;
using Tensors = std::vector<Tensor>;

// Values without a pattern, from [-2, 2).
Tensor values(const Shape& shape, uint64_t stream = 0) {
  std::vector<double> v(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 4 * uniform_f64({5, stream}, i) - 2;
  return Tensor::from(v, shape);
}

// A gradient rule for a function that is computed without recording.
Tensor with_rule(const OpDef& op, const std::function<Tensor()>& compute,
                 std::initializer_list<const Tensor*> inputs) {
  Tensor y = [&] {
    const NoGrad off;
    return compute();
  }();
  record(op, y, inputs, inputs);
  return y;
}

constexpr OpDef kForgets{"forgets", [](BackwardCtx&) {}};

// exp with a gradient rule that calls `change` on the right gradient.
template <Tensor (*change)(const Tensor& right)>
Tensor wrong_exp(const Tensor& x) {
  static constexpr OpDef kOp{
      "wrong_exp", [](BackwardCtx& ctx) { ctx.add(0, change(mul(ctx.grad(), exp(ctx.saved(0))))); }};
  return with_rule(kOp, [&] { return exp(x); }, {&x});
}

Tensor halved(const Tensor& g) { return scale(g, 0.5); }
Tensor negated(const Tensor& g) { return neg(g); }
Tensor zeroed(const Tensor& g) { return scale(g, 0); }
Tensor not_a_number(const Tensor& g) { return scale(g, std::nan("")); }
Tensor squared(const Tensor& g) { return mul(g, g); }
Tensor without_last_row(const Tensor& g) {
  const Tensor out = g.clone();
  const int64_t row = g.numel() / g.size(0);
  for (int64_t i = g.numel() - row; i < g.numel(); ++i) out.mutate<double>()[i] = 0;
  return out;
}
Tensor one_element_off(const Tensor& g) {
  const Tensor out = g.clone();
  out.mutate<double>()[3] += 0.25;
  return out;
}

using Fault = std::string;
template <Tensor (*change)(const Tensor& right)>
Fault fault_of(const Shape& shape = {2, 3}) {
  return gradient_fault([](const Tensors& in) { return wrong_exp<change>(in[0]); }, {values(shape)});
}

void check_has(const Fault& fault, const char* part) { BOOST_TEST(contains(fault, part), fault); }

}  // namespace

BOOST_AUTO_TEST_SUITE(gradients_checked)

BOOST_AUTO_TEST_CASE(right_gradients_pass) {
  for (const Device device : available_devices()) {
    const Tensor x = values({3, 4}).to(device), w = values({4, 2}, 1).to(device);
    gradcheck([](const Tensors& in) { return softmax(matmul(in[0], in[1])); }, {x, w});
    gradcheck([](const Tensors& in) { return mul(in[0], in[0]); }, {values({}).to(device)});
    gradcheck([](const Tensors& in) { return in[0]; }, {x});
  }
}

BOOST_AUTO_TEST_CASE(several_results_are_checked_together) {
  const auto f = [](const Tensors& in) { return Tensors{exp(in[0]), sum(mul(in[0], in[1])), in[1]}; };
  gradcheck(f, {values({2, 3}), values({2, 3}, 1)});
  const auto wrong = [](const Tensors& in) { return Tensors{exp(in[0]), wrong_exp<halved>(in[0])}; };
  check_has(gradient_fault(wrong, {values({2, 3})}),
            "6 of 6 elements of the gradient of input 0 [2,3] are wrong");
}

// gradcheck steps in the memory of its inputs: a function may have captured them, as a layer has.
BOOST_AUTO_TEST_CASE(captured_leaves) {
  const Tensor x = values({3, 4}), w = values({4, 2}, 1);
  gradcheck([&](const Tensors&) { return tanh(matmul(x, w)); }, {x, w});
}

BOOST_AUTO_TEST_CASE(inputs_are_left_as_they_were) {
  Tensor x = values({2, 3}), leaf = values({2, 3}, 1);
  leaf.set_requires_grad();
  const Recording on;
  const Tensor y = mul(leaf, leaf), z = mul(y, x);  // y is on this tape, z's node has saved x and y
  leaf.set_grad(values({2, 3}, 2));
  const auto before = x.to_vector<double>();
  gradcheck([](const Tensors& in) { return mul(mul(in[0], in[1]), in[2]); }, {x, y, leaf});
  BOOST_TEST(x.to_vector<double>() == before, boost::test_tools::per_element());
  BOOST_TEST(!x.requires_grad());
  BOOST_TEST(!x.grad());
  BOOST_TEST(leaf.grad().to_vector<double>() == (values({2, 3}, 2).to_vector<double>()),
             boost::test_tools::per_element());
  leaf.zero_grad();
  backward(sum(z));  // 2·leaf·x: the tape of before still has its tensors
  BOOST_TEST(leaf.grad().to_vector<double>()[1] == 2 * leaf.to_vector<double>()[1] * before[1]);
}

BOOST_AUTO_TEST_CASE(inputs_are_left_as_they_were_when_f_throws) {
  const Tensor x = values({2, 3});
  const auto before = x.to_vector<double>();
  int calls = 0;
  const auto f = [&](const Tensors& in) {
    if (++calls == 7) fail("the seventh call");
    return exp(in[0]);
  };
  BOOST_TEST(error_of([&] { gradcheck(f, {x}); }) == "the seventh call");
  BOOST_TEST(x.to_vector<double>() == before, boost::test_tools::per_element());
  BOOST_TEST(!x.requires_grad());
}

BOOST_AUTO_TEST_CASE(the_message) {
  BOOST_TEST(error_of([] {
               gradcheck([](const Tensors& in) { return wrong_exp<one_element_off>(in[0]); },
                         {Tensor::zeros({2, 3}, DType::f64)});
             })
                 .starts_with("gradcheck: 1 of 6 elements of the gradient of input 0 [2,3] are wrong\n"
                              "  first, [1, 0]: "));
  const Fault fault = fault_of<squared>();
  check_has(fault, "\n  worst, [");
  check_has(fault, ", differences give ");
  check_has(fault, "no common mistake looks like this");
  const auto two = [](const Tensors& in) { return add(wrong_exp<halved>(in[0]), wrong_exp<halved>(in[1])); };
  check_has(gradient_fault(two, {values({2, 3}), values({3}, 1)}),
            "\n  input 1: 3 of 3 elements are wrong too");
}

BOOST_AUTO_TEST_CASE(causes) {
  check_has(fault_of<halved>(), "every element is 0.5 times the right one: a missing factor");
  const auto bent = [](const Tensors& in) { return wrong_exp<halved>(abs(in[0])); };
  check_has(gradient_fault(bent, {Tensor::from(std::vector<double>{-1, 0, 2, 3}, {4})}),  // a kink at 0
            "every element is 0.5 times the right one: a missing factor");
  check_has(fault_of<negated>(), "the sign is wrong everywhere");
  check_has(fault_of<zeroed>(), "the gradient is zero everywhere");
  check_has(fault_of<not_a_number>(), "a gradient is not finite");
  check_has(fault_of<without_last_row>({4, 3}), "only index 3 of dimension 0 (0 to 3) is wrong");
}

BOOST_AUTO_TEST_CASE(a_gradient_that_never_arrives) {
  const auto f = [](const Tensors& in) { return with_rule(kForgets, [&] { return exp(in[0]); }, {&in[0]}); };
  check_has(gradient_fault(f, {values({2, 3})}), "no gradient arrives: pass this input to record");
}

BOOST_AUTO_TEST_CASE(a_transposed_gradient) {
  // y = a·b with the gradient of b transposed: its memory is that of (aᵀ·g)ᵀ.
  static constexpr OpDef kOp{"transposed", [](BackwardCtx& ctx) {
                               const Tensor a = ctx.saved(0), b = ctx.saved(1), g = ctx.grad();
                               ctx.add(0, matmul(g, b, {.b = true}));
                               ctx.add(1, matmul(g, a, {.a = true}).view(b.shape()));
                             }};
  const auto f = [](const Tensors& in) {
    return with_rule(kOp, [&] { return matmul(in[0], in[1]); }, {&in[0], &in[1]});
  };
  for (const int64_t columns : {4, 5})
    check_has(gradient_fault(f, {values({3, 4}), values({4, columns}, 1)}),
              "it is the transpose of the right one");
}

BOOST_AUTO_TEST_CASE(swapped_gradients) {
  static constexpr OpDef kOp{"swapped", [](BackwardCtx& ctx) {
                               ctx.add(0, mul(ctx.grad(), ctx.saved(0)));
                               ctx.add(1, mul(ctx.grad(), ctx.saved(1)));
                             }};
  const auto f = [](const Tensors& in) {
    return with_rule(kOp, [&] { return mul(in[0], in[1]); }, {&in[0], &in[1]});
  };
  check_has(gradient_fault(f, {values({2, 3}), values({2, 3}, 1)}),
            "it has the gradient of input 1, which has this one: exchange ctx.add(0, ..) and ctx.add(1, ..)");
}

BOOST_AUTO_TEST_CASE(a_gradient_that_is_not_summed) {
  // y = x·w with w broadcast over the rows: the gradient of w is that of the last row.
  static constexpr OpDef kOp{"no_sum", [](BackwardCtx& ctx) {
                               const Tensor x = ctx.saved(0), w = ctx.saved(1), g = ctx.grad();
                               ctx.add(0, mul(g, w));
                               const Tensor all = mul(g, x);
                               ctx.add(1, all.rows(all.size(0) - 1, all.size(0)).view(w.shape()));
                             }};
  const auto f = [](const Tensors& in) {
    return with_rule(kOp, [&] { return mul(in[0], in[1]); }, {&in[0], &in[1]});
  };
  for (const Shape& w : {Shape{4}, Shape{1, 4}})
    check_has(gradient_fault(f, {values({3, 4}), values(w, 1)}),
              "it is the gradient of one slice along dimension 0 of the result [3,4]");
}

BOOST_AUTO_TEST_CASE(a_gradient_that_is_not_accumulated) {
  // Rows 2 0 2 1: the gradient of row 2 is that of its last place. Row 0 and 1 are right.
  static constexpr OpDef kOp{"overwrites", [](BackwardCtx& ctx) {
                               const Tensor dx = ctx.accumulate(0);
                               const int64_t places[] = {2, 0, 2, 1};
                               for (int64_t i = 0; i < 4; ++i)
                                 dx.rows(places[i], places[i] + 1).copy_from(ctx.grad().rows(i, i + 1));
                             }};
  const Tensor index = Tensor::from(std::vector<int32_t>{2, 0, 2, 1}, {4});
  const auto f = [&](const Tensors& in) {
    return with_rule(kOp, [&] { return gather_rows(in[0], index); }, {&in[0]});
  };
  const Fault fault = gradient_fault(f, {values({3, 2})});
  check_has(fault, "2 of 6 elements");
  check_has(fault, "it is the gradient of one of the places where the element is used, not the sum over all");

  // y = x·x with one of the two uses: half of the gradient.
  static constexpr OpDef kSquare{"square",
                                 [](BackwardCtx& ctx) { ctx.add(0, mul(ctx.grad(), ctx.saved(0))); }};
  const auto square = [](const Tensors& in) {
    return with_rule(kSquare, [&] { return mul(in[0], in[0]); }, {&in[0]});
  };
  check_has(gradient_fault(square, {values({2, 3})}), "one of 2 equal uses");
}

BOOST_AUTO_TEST_CASE(kinks_are_avoided_or_named) {
  const auto at = [](double x) { return Tensor::from(std::vector<double>{1, x, -1}, {3, 1}); };
  const auto f = [](const Tensors& in) { return relu(in[0]); };
  for (const double x : {1e-3, 1e-4, 3e-5, -1e-3, -3e-5}) gradcheck(f, {at(x)});  // a smaller step avoids it
  for (const double x : {0.0, 1e-9, -1e-9, 1e-6, 1e-5, -1e-5}) {
    const Fault fault = gradient_fault(f, {at(x)});
    check_has(fault, "gradcheck: element [1, 0] of input 0 (its value is ");
    check_has(fault, "lies within 2e-05 of a kink or jump of f: the slope changes from ");
  }
  // |x| at 0: the differences give the same 0 as the rule, which is no sign that it is right.
  const auto absolute = [](const Tensors& in) { return add(relu(in[0]), relu(neg(in[0]))); };
  check_has(gradient_fault(absolute, {at(0)}), "of a kink or jump of f: the slope changes from -");
  const auto smaller = [](const Tensors& in) { return minimum(in[0], in[1]); };
  check_has(gradient_fault(smaller, {at(0.5), at(0.5)}), "of a kink or jump of f");  // 1 = 1, too
  gradcheck(smaller, {at(0.5), at(0.5)}, {.mean_at_kinks = true});
  check_has(gradient_fault(f, {at(0)}, {.mean_at_kinks = true}), "of a kink or jump of f");  // relu: 0 there
  // A wrong gradient is not excused by a kink: both slopes are 0 or 1 times the cotangent.
  const auto wrong = [](const Tensors& in) { return mul(relu(in[0]), wrong_exp<halved>(in[0])); };
  check_has(gradient_fault(wrong, {at(0.5)}), "are wrong");
}

BOOST_AUTO_TEST_CASE(a_function_that_bends_much_needs_smaller_steps) {
  gradcheck([](const Tensors& in) { return tanh(scale(in[0], 300)); },
            {Tensor::full({1}, 0.001, DType::f64)});
  gradcheck([](const Tensors& in) { return log(in[0]); }, {Tensor::full({1}, 0.0015, DType::f64)});
}

// 1/x at 0.002: the first step of the differences meets 1/0, and its slope is infinite.
BOOST_AUTO_TEST_CASE(a_step_that_meets_infinity_is_made_smaller) {
  const Tensor x = Tensor::from(std::vector<double>{0.002, 1, -2}, {3});
  const Tensor alone = Tensor::full({1}, 0.002, DType::f64);
  const auto reciprocal = [](const Tensors& in) { return pow(in[0], -1); };
  gradcheck(reciprocal, {x});
  gradcheck(reciprocal, {alone});
  static constexpr OpDef kOp{"first_is_wrong", [](BackwardCtx& ctx) {
                               const Tensor right = neg(mul(ctx.grad(), pow(ctx.saved(0), -2)));
                               right.mutate<double>()[0] *= 2;
                               ctx.add(0, right);
                             }};
  const auto wrong = [](const Tensors& in) {
    return with_rule(kOp, [&] { return pow(in[0], -1); }, {&in[0]});
  };
  check_has(gradient_fault(wrong, {x}),
            "gradcheck: 1 of 3 elements of the gradient of input 0 [3] are wrong");
  check_has(gradient_fault(wrong, {alone}), "gradcheck: 1 of 1 elements");
}

BOOST_AUTO_TEST_CASE(points_where_nothing_can_be_checked) {
  check_has(
      gradient_fault([](const Tensors& in) { return log(in[0]); }, {Tensor::full({2}, 1e-6, DType::f64)}),
      "element [0] of input 0 (its value is 1e-06) lies within 2e-05 of a point where f is not finite");
  BOOST_TEST(contains(error_of([] {
                        gradcheck([](const Tensors& in) { return log(in[0]); },
                                  {Tensor::zeros({2}, DType::f64)});
                      }),
                      "result 0 of f is not finite at these inputs: -inf at element 0"));
  const Tensor large = Tensor::full({2}, 1e12, DType::f64);
  check_has(
      gradient_fault([&](const Tensors& in) { return add(large, wrong_exp<halved>(in[0])); }, {values({2})}),
      "the results of f are so large that their rounding hides what input 0 changes");
}

BOOST_AUTO_TEST_CASE(a_zero_gradient_must_be_declared) {
  const auto f = [](const Tensors& in) { return add(exp(in[0]), scale(in[1], 0)); };
  const Tensors inputs{values({2, 3}), values({3}, 1)};
  check_has(gradient_fault(f, inputs),
            "the gradient of input 1 is zero everywhere, and so are the differences");
  gradcheck(f, inputs, {.zero_gradient = {1}});
  check_has(gradient_fault(f, inputs, {.zero_gradient = {0, 1}}),
            "the gradient of input 0 is not zero everywhere");
  gradcheck(f, {values({0, 3}), values({3}, 1)});  // no result, so that no gradient can arrive
}

// The sum of a softmax is 1: without random cotangents, a rule that adds nothing would pass.
BOOST_AUTO_TEST_CASE(cotangents_are_random) {
  const auto f = [](const Tensors& in) {
    return with_rule(kForgets, [&] { return softmax(in[0]); }, {&in[0]});
  };
  check_has(gradient_fault(f, {values({2, 3})}), "6 of 6 elements");
}

BOOST_AUTO_TEST_CASE(a_large_input_is_sampled) {
  int calls = 0;
  const auto f = [&](const Tensors& in) {
    ++calls;
    return wrong_exp<without_last_row>(in[0]);
  };
  const Fault fault = gradient_fault(f, {values({4, 500})}, {.max_elements = 20});
  check_has(fault, " of 20 compared (of 2000) elements of the gradient of input 0 [4,500] are wrong");
  check_has(fault, "worst, [3, ");
  BOOST_TEST(calls < 200);
}

BOOST_AUTO_TEST_CASE(wrong_uses) {
  const auto f = [](const Tensors& in) { return exp(in[0]); };
  const auto refused = [](const TensorFunction& g, const Tensors& inputs, const char* wanted) {
    const std::string error = error_of([&] { gradcheck(g, inputs); });
    BOOST_TEST(contains(error, wanted), error);
  };
  refused(f, {}, "gradcheck: there are no inputs (give the tensors to differentiate by)");
  refused(f, {Tensor()}, "gradcheck: input 0 is an empty tensor");
  refused(f, {values({2}), Tensor::zeros({2})},
          "gradcheck: input 1 is f32, differences need f64 (convert it with .to(DType::f64))");
  refused(f, {Tensor::zeros({2}, DType::i32)},
          "gradcheck: input 0 is i32, which has no gradient (leave it out, and let f capture it)");
  const Tensor x = values({2, 3});
  refused(f, {x, x.view({6})}, "gradcheck: inputs 0 and 1 share memory");
  refused([](const Tensors&) { return Tensor(); }, {x}, "gradcheck: result 0 of f is an empty tensor");
  refused([](const Tensors& in) { return in[0].to(DType::f32); }, {x},
          "gradcheck: result 0 of f is f32, needs f64");
  refused(
      [](const Tensors& in) {
        in[0].mutate<double>()[0] = 0;
        return exp(in[0]);
      },
      {x.clone()}, "gradcheck: f changes its input 0 in place (let it change a clone)");
  int call = 0;
  refused([&](const Tensors& in) { return scale(in[0], ++call); }, {x},
          "for the same inputs (let it use the same random key in each call)");
  bool first = true;
  refused([&](const Tensors& in) { return scale(in[0], std::exchange(first, false) ? 1 : std::nan("")); },
          {x}, "for the same inputs (let it use the same random key in each call)");
  refused(
      [&](const Tensors& in) {
        return ++call % 2 ? in[0] : in[0].view({3, 2});
      },
      {x}, "gradcheck: f does not always return tensors of the same shapes");
  BOOST_TEST(contains(error_of([&] { gradcheck([](const Tensors&) { return Tensors{}; }, {x}); }),
                      "gradcheck: f returns no tensor"));
  const auto with = [&](const GradcheckOptions& options) {
    return error_of([&] { gradcheck(f, {x}, options); });
  };
  BOOST_TEST(contains(with({.zero_gradient = {1}}), "zero_gradient names input 1, there are 1"));
  BOOST_TEST(contains(with({.max_elements = 0}), "max_elements 0 (needs at least 1)"));
  BOOST_TEST(contains(with({.tolerance = 0}), "tolerance 0 (needs 0 < tolerance < 1)"));
  BOOST_TEST(contains(with({.step = std::nan("")}), "step nan (needs 0 < step < 1)"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
