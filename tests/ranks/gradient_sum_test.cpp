// Sums over ranks, of tensors and of a model's gradients, against sums that each rank computes by itself: the same bits.
#include "nn/gradient_sum.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "engine/primitives.h"
#include "engine/ranks/choose_gpu.h"
#include "ops/elementwise/elementwise.h"
#include "ops/matmul/matmul.h"
#include "ops/reduce/reduce.h"
#include "tests/identical.h"
#include "tests/ranks/ranks.h"
#include "tests/support.h"

namespace fade::test {
namespace {

constexpr std::array kTypes{DType::f32, DType::f64};

Tensor numbers(const Shape& shape, double first, DType dtype, Device device) {
  std::vector<double> x;
  for (int64_t i = 0; i < shape.numel(); ++i) x.push_back(std::sin(first + static_cast<double>(i)));
  return Tensor::from(x, shape).to(dtype).to(device);
}

/// Σ over ranks of of_rank(rank), in their order; no tensor if none gives one.
template <class F>
Tensor sum_in_order(const F& of_rank) {
  Tensor sum;
  for (int r = 0; r < ranks().count(); ++r) {
    const Tensor next = of_rank(r);
    if (!next) continue;
    if (sum)
      add_into_kernel(next.device(), next, sum);
    else
      sum = next.clone();
  }
  return sum;
}

/// Two products, with a weight that both use; a bias that only rank 1 uses, and one that none does.
struct Model {
  Parameters parameters;
  Tensor first, shared, of_rank_1, of_none;

  Model(DType dtype, Device device) : parameters(dtype, device) {
    const auto add = [&](const char* name, const Shape& shape) {
      const Tensor leaf = parameters.add(name, shape);
      leaf.copy_from(numbers(shape, static_cast<double>(parameters.count()), dtype, device));
      return leaf;
    };
    first = add("first", {5, 7});
    of_none = add("of_none", {3});
    shared = add("shared", {7, 7});
    of_rank_1 = add("of_rank_1", {7});
  }

  /// Adds the gradients of block `block` of rank `rank`.
  void backward_of(int rank, int block, Tape& tape) const {
    const Recording on(tape);
    const Tensor x = numbers({4, 5}, 10 * rank + block, first.dtype(), first.device());
    Tensor y = matmul(tanh(matmul(matmul(x, first), shared)), shared);
    if (rank == 1) y = y + of_rank_1;
    backward(sum(y * y));
  }
};

/// What one process computes: the sum over ranks of leaf `leaf`'s gradients of all blocks.
Tensor expected(const Model& model, size_t leaf, int blocks) {
  return sum_in_order([&](int rank) {
    model.parameters.zero_grad();
    Tape tape;
    for (int i = 0; i < blocks; ++i) model.backward_of(rank, i, tape);
    return model.parameters.leaves()[leaf].grad();
  });
}

/// The CPU, and device cuda where each rank can have a GPU of its own.
const std::vector<Device>& devices() {
  static const std::vector<Device> all = [] {
    const bool gpus = error_of([] { choose_gpu(ranks()); }) == "(no error)" && has_backend(Device::cuda);
    return gpus ? std::vector{Device::cpu, Device::cuda} : std::vector{Device::cpu};
  }();
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sums_over_ranks)

BOOST_AUTO_TEST_CASE(elements_are_added_in_the_order_of_ranks) {
  for (const Device device : devices())
    for (const DType dtype : kTypes) {
      const auto of_rank = [&](int r, int number) {
        return numbers({ranks().count() * 12 * (number + 1)}, 100 * r + number, dtype, device);
      };
      const std::unique_ptr<Summation> summation = make_summation(ranks(), device);
      std::vector<Tensor> flats;
      for (int i = 0; i < 3; ++i) {
        flats.push_back(of_rank(ranks().rank(), i));
        summation->start(flats.back());
      }
      summation->finish();
      for (int i = 0; i < 3; ++i)
        BOOST_TEST(
            identical(flats[static_cast<size_t>(i)], sum_in_order([&](int r) { return of_rank(r, i); })));
    }
}

// Twice, so that the buckets are used again.
BOOST_AUTO_TEST_CASE(gradients_are_those_of_one_process) {
  for (const Device device : devices())
    for (const DType dtype : kTypes)
      for (const size_t bucket_bytes : {size_t{1}, size_t{200}, size_t{4} << 20})
        for (const int blocks : {1, 2}) {
          const Model model(dtype, device);
          GradientSum sum(model.parameters, ranks(), bucket_bytes);
          for (int step = 0; step < 2; ++step) {
            model.parameters.zero_grad();
            Tape tape;
            for (int i = 0; i + 1 < blocks; ++i) model.backward_of(ranks().rank(), i, tape);
            {
              const GradientSum::Overlap on(sum, tape);
              model.backward_of(ranks().rank(), blocks - 1, tape);
            }
            sum.finish(Tensor::scalar(0, dtype, device));
          }
          std::vector<Tensor> sums;
          for (const Tensor& leaf : model.parameters.leaves())
            sums.push_back(leaf.grad() ? leaf.grad().clone() : Tensor());
          for (size_t i = 0; i < sums.size(); ++i) {
            const Tensor wanted = expected(model, i, blocks);
            BOOST_TEST_INFO_SCOPE("leaf " << model.parameters.all()[i].name << ", buckets of " << bucket_bytes
                                          << " bytes");
            BOOST_REQUIRE(static_cast<bool>(sums[i]) == static_cast<bool>(wanted));
            if (wanted) BOOST_TEST(identical(sums[i], wanted));
          }
        }
}

BOOST_AUTO_TEST_CASE(without_overlap_the_sums_are_the_same) {
  const Model model(DType::f32, Device::cpu);
  GradientSum sum(model.parameters, ranks(), 1);
  Tape tape;
  model.backward_of(ranks().rank(), 0, tape);
  sum.finish(Tensor::scalar(0));
  const Tensor found = model.first.grad().clone();
  BOOST_TEST(identical(found, expected(model, 0, 1)));
  BOOST_TEST(sum.seconds_waited() > 0);
}

BOOST_AUTO_TEST_CASE(the_extra_number_is_summed) {
  for (const Device device : devices()) {
    const Model model(DType::f32, device);
    GradientSum sum(model.parameters, ranks());
    const int n = ranks().count();
    const auto sum_of = [&](double own) {
      return sum.finish(Tensor::scalar(own, DType::f32, device)).item();
    };
    BOOST_TEST(sum_of(ranks().rank() + 0.5) == n * n / 2.0);
    BOOST_TEST(std::isnan(sum_of(ranks().rank() == 1 ? NAN : 0)));
    BOOST_TEST(sum_of(1) == n);
  }
}

// Of n bytes, a rank sends all slices but its own, and then its sum to all others.
BOOST_AUTO_TEST_CASE(bytes_sent_are_counted) {
  const int n = ranks().count();
  Parameters parameters;
  parameters.add("weight", {n, 1024});
  const GradientSum sum(parameters, ranks());
  const size_t slice = 4096 + 64;  // the extra number fills a part of its own
  BOOST_TEST(sum.bytes_sent() == 2 * static_cast<size_t>(n - 1) * slice);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
