// Parts of a step that are computed again in backward: the gradients are those of parts that are recorded.
#include "engine/recompute.h"

#include <boost/test/unit_test.hpp>

#include "engine/alloc.h"
#include "engine/gradcheck.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "tests/identical.h"
#include "tests/support.h"

namespace fade::test {
namespace {

using Tensors = std::vector<Tensor>;

Tensor leaf(const Shape& shape, double first, DType dtype = DType::f64) {
  std::vector<double> x;
  for (int64_t i = 0; i < shape.numel(); ++i) x.push_back(std::sin(first + static_cast<double>(i)));
  Tensor t = Tensor::from(x, shape).to(dtype);
  t.set_requires_grad();
  return t;
}

/// part(inputs), to be computed again in backward, or recorded as usual.
Tensors run(bool again, const Recomputed& part, const Tensors& inputs) {
  if (!again) return part(inputs);
  Tensors outputs;
  {
    const NoGrad off;
    outputs = part(inputs);
  }
  record_recomputed(outputs, inputs, part);
  return outputs;
}

/// Two results of two inputs and a leaf that is not among the inputs.
Recomputed part_with(const Tensor& weight) {
  return [weight](const Tensors& in) {
    const Tensor y = tanh(matmul(in[0], weight) + in[1]) * in[0];
    return Tensors{y, sum(y * y), matmul(y, weight)};
  };
}

}  // namespace

BOOST_AUTO_TEST_SUITE(recompute)

BOOST_AUTO_TEST_CASE(gradients_are_the_difference_quotients) {
  const Tensor x = leaf({4, 3}, 0), bias = leaf({3}, 9), weight = leaf({3, 3}, 5);
  gradcheck(
      [&](const Tensors& in) {
        return run(true, part_with(in[2]), {in[0], in[1]});
      },
      {x, bias, weight});
}

// A part of a part is computed again, too.
BOOST_AUTO_TEST_CASE(parts_may_have_parts) {
  const Tensor x = leaf({4, 3}, 0), bias = leaf({3}, 9), weight = leaf({3, 3}, 5);
  gradcheck(
      [&](const Tensors& in) {
        return run(true,
                   [&](const Tensors& of) {
                     return run(true, part_with(weight), {tanh(of[0]), bias});
                   },
                   {in[0]});
      },
      {x});
}

// In f32, where the order of additions shows. The leaf is shared by the parts and by what is recorded, and has
// a gradient already.
BOOST_AUTO_TEST_CASE(gradients_have_the_same_bits) {
  const auto gradients = [](bool again) {
    Tensor x = leaf({5, 7}, 0, DType::f32), bias = leaf({7}, 3, DType::f32),
           weight = leaf({7, 7}, 5, DType::f32);
    for (int step = 0; step < 2; ++step) {
      const Recording on;
      Tensor y = matmul(x, weight), extra;
      for (int i = 0; i < 3; ++i) {
        const Tensors out = run(again, part_with(weight), {y, bias});
        y = y + out[0] + out[2];
        extra = extra ? extra + out[1] : out[1];
      }
      backward(sum(matmul(y, weight)) + extra);
    }
    std::vector<double> all;
    for (const Tensor& t : {x, bias, weight})
      for (const double g : t.grad().to(DType::f64).to_vector<double>()) all.push_back(g);
    return all;
  };
  BOOST_TEST(gradients(true) == gradients(false), boost::test_tools::per_element());
}

// The parts do not name the leaf. The node that does name it comes after them: an earlier part adds to its gradient, too.
BOOST_AUTO_TEST_CASE(gradients_are_final_after_all_parts) {
  const Tensor x = leaf({4, 3}, 0), weight = leaf({3, 3}, 5), other = leaf({3, 3}, 7);
  const auto product = [](const Tensor& w) {
    return [w](const Tensors& in) { return Tensors{matmul(tanh(in[0]), w)}; };
  };
  Tape tape;
  std::vector<std::pair<const TensorImpl*, Tensor>> final;
  tape.on_final(
      [&](const Tensor& of, const Tensor& gradient) { final.emplace_back(of.impl(), gradient.clone()); });
  const Recording on(tape);
  const Tensor y = run(true, product(weight), {run(true, product(other), {x})[0]})[0];
  backward(sum(matmul(y, weight)));
  BOOST_REQUIRE(final.size() == 3u);
  for (const Tensor& of : {x, weight, other}) {
    const auto found = std::ranges::find(final, of.impl(), &std::pair<const TensorImpl*, Tensor>::first);
    BOOST_REQUIRE((found != final.end()));
    BOOST_TEST(identical(found->second, of.grad()));
  }
}

BOOST_AUTO_TEST_CASE(one_output_may_be_all_that_is_used) {
  for (const size_t used : {0, 1, 2}) {
    std::vector<double> found[2];
    for (const bool again : {false, true}) {
      const Tensor x = leaf({4, 3}, 0), bias = leaf({3}, 9), weight = leaf({3, 3}, 5);
      const Recording on;
      backward(sum(run(again, part_with(weight), {x, bias})[used]));
      found[again] = weight.grad().to_vector<double>();
    }
    BOOST_TEST(found[0] == found[1], boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(tensors_in_between_are_not_kept) {
  const auto peak = [](bool again) {
    Tensor x = leaf({64, 64}, 0);
    const Recomputed part = [](const Tensors& in) {
      Tensor y = in[0];
      for (int i = 0; i < 8; ++i) y = tanh(y);
      return Tensors{y};
    };
    const int64_t before = memory_stats(Device::cpu).live;
    reset_peak(Device::cpu);
    const Recording on;
    Tensor y = x;
    for (int i = 0; i < 8; ++i) y = run(again, part, {y})[0];
    backward(sum(y));
    return (memory_stats(Device::cpu).peak - before) / static_cast<int64_t>(x.size_bytes());
  };
  BOOST_TEST(peak(false) >= 64);  // each result is saved
  BOOST_TEST(peak(true) <= 8 + 12);
}

BOOST_AUTO_TEST_CASE(what_it_refuses) {
  const Tensor x = leaf({2}, 0);
  const Recomputed part = [](const Tensors& in) { return Tensors{tanh(in[0])}; };
  const Recording on;
  const Tensor y = tanh(x), five[] = {x, x, x, x, x};
  BOOST_TEST(contains(error_of([&] { record_recomputed({x}, {x}, part); }), "an output is an input"));
  BOOST_TEST(contains(error_of([&] { record_recomputed({y}, {x}, part); }), "recorded already"));
  BOOST_TEST(contains(error_of([&] { record_recomputed({}, {x}, part); }), "no first output"));
  BOOST_TEST(contains(error_of([&] {
                        record_recomputed({x}, {five, five + 5}, part);
                      }),
                      "5 inputs, at most 4"));
  Tensor loss = sum(run(true, part, {y})[0]);
  Tensor changed = y;
  changed.mutate<double>()[0] = 1;
  BOOST_TEST(contains(error_of([&] { backward(loss); }), "modified in place"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
