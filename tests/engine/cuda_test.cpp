// The features of CUDA that kernels use, on the device of this build: a
// GPU, or the emulated device, which must agree.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "engine/cuda/blas.h"
#include "engine/cuda/tf32.h"
#include "engine/primitives.h"
#include "engine/product_precision.h"
#include "engine/rng.h"
#include "ops/matmul/matmul_cuda.h"
#include "tests/engine/cuda_kernels.h"
#include "tests/support.h"

namespace fade::test {
namespace {

using Ints = std::vector<int32_t>;

Tensor random(const Shape& shape, DType dtype) {
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 4 * uniform_f64({3, 9}, i) - 2;
  return Tensor::from(values, shape).to(dtype);
}

std::vector<double> doubles(const Tensor& x) { return x.to(DType::f64).to_vector<double>(); }

boost::test_tools::assertion_result device_is_here(boost::unit_test::test_unit_id) {
  return has_backend(Device::cuda);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cuda, *boost::unit_test::precondition(&device_is_here))

BOOST_AUTO_TEST_CASE(every_thread_runs_once_with_its_own_indices) {
  for (const std::array<unsigned, 3> grid : {std::array<unsigned, 3>{1, 1, 1}, {7, 1, 1}, {2, 3, 5}})
    for (const std::array<unsigned, 3> block :
         {std::array<unsigned, 3>{1, 1, 1}, {33, 1, 1}, {4, 3, 5}, {1024, 1, 1}}) {
      const Ints got = count_threads(grid, block);
      const size_t threads = size_t{block[0]} * block[1] * block[2];
      for (size_t i = 0; i < got.size(); ++i) BOOST_REQUIRE_EQUAL(got[i], 1 + static_cast<int>(i / threads));
    }
}

BOOST_AUTO_TEST_CASE(lanes_exchange_values) {
  for (const int width : {32, 16, 8, 4, 2})
    for (const int by : {0, 1, 3, 7, 16, 31}) {
      const Ints from = exchange(Exchange::from, by, width), up = exchange(Exchange::up, by, width),
                 down = exchange(Exchange::down, by, width);
      for (int lane = 0; lane < 32; ++lane) {
        const int first = lane / width * width, last = first + width - 1;
        const auto at = static_cast<size_t>(lane);
        BOOST_TEST(from[at] == 100 + first + by % width);
        BOOST_TEST(up[at] == 100 + (lane - by < first ? lane : lane - by));
        BOOST_TEST(down[at] == 100 + (lane + by > last ? lane : lane + by));
        if (by < width) BOOST_TEST(exchange(Exchange::exclusive_or, by, width)[at] == 100 + (lane ^ by));
      }
    }
  const auto pairs = exchange_doubles();
  for (size_t lane = 0; lane < 32; ++lane)
    BOOST_TEST(pairs[lane] == 100.5 + (lane == 0 ? 0. : static_cast<double>(lane - 1)));
}

BOOST_AUTO_TEST_CASE(lanes_vote) {
  for (const uint32_t values : {0u, 1u, 0x80000000u, 0x5a5a1234u, ~0u})
    BOOST_TEST(votes(values) == (Ints{static_cast<int32_t>(values), values != 0, values == ~0u}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(groups_of_lanes_work_apart) {
  const Ints got = votes_apart();
  for (size_t lane = 0; lane < 32; ++lane) BOOST_TEST(got[lane] == (lane % 2 ? 3 * 256 : 240));
}

BOOST_AUTO_TEST_CASE(a_warp_waits_for_its_lanes) {
  for (const int threads : {32, 96, 100}) {
    const Ints got = warp_broadcast(threads);
    for (size_t i = 0; i < got.size(); ++i) BOOST_TEST(got[i] == 7 + static_cast<int>(i / 32));
  }
}

BOOST_AUTO_TEST_CASE(shared_memory_and_barriers) {
  for (const int threads : {1, 31, 32, 33, 127, 256}) {
    const Ints got = reverse_thrice(threads);
    for (int i = 0; i < threads; ++i) BOOST_TEST(got[static_cast<size_t>(i)] == i + 3);
  }
  BOOST_TEST(barrier_votes(0) == (Ints{0, 0, 0}), boost::test_tools::per_element());
  BOOST_TEST(barrier_votes(41) == (Ints{41, 1, 0}), boost::test_tools::per_element());
  BOOST_TEST(barrier_votes(96) == (Ints{96, 1, 1}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(atomics_of_integers) {
  for (const int blocks : {1, 50}) {
    const Ints got = atomics(blocks);
    const int threads = blocks * 128, all = (1 << 20) - 1;
    BOOST_TEST(got[0] == 2 * threads);
    BOOST_TEST(got[1] == -threads);
    BOOST_TEST(got[2] == threads - 1);
    BOOST_TEST(got[3] == 1 - threads);
    BOOST_TEST(got[4] == all);
    BOOST_TEST(got[5] == ~all);
    BOOST_TEST((got[6] >= 1 && got[6] <= threads));
    BOOST_TEST((got[7] >= 1 && got[7] <= threads));
    BOOST_TEST(got[8] == 1);
  }
}

BOOST_AUTO_TEST_CASE(vector_types) {
  const Tensor x = random({4, 25}, DType::f32), y = random({6, 11}, DType::f64);
  BOOST_TEST(copy_float4(x.to(Device::cuda)).to_vector<float>() == x.to_vector<float>());
  BOOST_TEST(copy_double2(y.to(Device::cuda)).to_vector<double>() == y.to_vector<double>());
  Ints whole(64);
  std::iota(whole.begin(), whole.end(), -9);
  BOOST_TEST(copy_int4(Tensor::from(whole, {64}).to(Device::cuda)).to_vector<int32_t>() == whole);
}

BOOST_AUTO_TEST_CASE(reductions_over_a_block) {
  for (const DType dtype : {DType::f32, DType::f64})
    for (const int threads : {32, 64, 160, 1024})
      for (const int64_t n : {1, 31, 400}) {
        const Tensor x = random({3, n}, dtype);
        const auto values = doubles(x), got = doubles(block_reductions(x.to(Device::cuda), threads));
        for (int64_t r = 0; r < 3; ++r) {
          const auto row = values.begin() + r * n;
          BOOST_TEST(std::abs(got[static_cast<size_t>(2 * r)] - std::accumulate(row, row + n, 0.)) < 1e-4);
          BOOST_TEST(got[static_cast<size_t>(2 * r + 1)] == *std::max_element(row, row + n));
        }
      }
  Tensor bad = random({1, 100}, DType::f32);
  bad.mutate<float>()[77] = NAN;
  for (const double v : doubles(block_reductions(bad.to(Device::cuda), 64))) BOOST_TEST(std::isnan(v));
  const Ints groups = group_sums();
  for (int i = 0; i < 32; ++i) BOOST_TEST(groups[static_cast<size_t>(i)] == 28 + 64 * (i / 8));
}

BOOST_AUTO_TEST_CASE(a_function_of_each_index) {
  for (const int64_t n : {0, 1, 255, 257, 40000}) {
    const Ints got = squares(n);
    BOOST_REQUIRE_EQUAL(got.size(), static_cast<size_t>(n));
    for (int i = 0; i < n; ++i) BOOST_REQUIRE_EQUAL(got[static_cast<size_t>(i)], i * i);
  }
}

BOOST_AUTO_TEST_CASE(an_index_out_of_range_is_reported_when_the_host_next_waits) {
  const Tensor table = random({10}, DType::f32).to(Device::cuda);
  const auto index = [](const Ints& values) {
    return Tensor::from(values, {static_cast<int64_t>(values.size())}).to(Device::cuda);
  };
  for (const int wrong : {-1, 10}) {
    const Tensor y = checked_gather(table, index({3, wrong, 9}));
    BOOST_TEST(refusal([&] { y.to(Device::cpu); }) ==
               fmt::format("gather: index {} at place 1 is not within [0, 10)", wrong));
    BOOST_TEST(y.to_vector<float>()[1] == -1);  // reported only once
  }
  BOOST_TEST(checked_gather(table, index({0, 9})).to_vector<float>().size() == 2u);
}

BOOST_AUTO_TEST_CASE(impossible_launches) {
  BOOST_CHECK_NO_THROW(launch_nothing());
  const std::string message = error_of([] { launch_too_many(); });
  BOOST_TEST(contains(message, "too_many"), message);
  BOOST_TEST(contains(message, "1025"), message);
  BOOST_TEST(squares(3) == (Ints{0, 1, 4}));  // the device still works
}

BOOST_AUTO_TEST_CASE(copies_between_devices) {
  for (const int64_t n : {0, 1, 1000, 300000}) {  // the last is larger than a staging buffer
    const Tensor x = random({n}, DType::f32);
    const Tensor there = x.to(Device::cuda), twin = there.clone();
    BOOST_TEST(twin.to_vector<float>() == x.to_vector<float>());
  }
  std::vector<Tensor> many;  // more small copies than there are staging buffers
  for (int i = 0; i < 50; ++i) many.push_back(Tensor::full({5}, i).to(Device::cuda));
  for (int i = 0; i < 50; ++i) BOOST_TEST(many[static_cast<size_t>(i)].to_vector<float>()[4] == i);
}

BOOST_AUTO_TEST_CASE(primitives_agree_with_the_cpu) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i32, DType::u8}) {
    BOOST_TEST(doubles(Tensor::full({3, 7}, 5, dtype, Device::cuda)) == std::vector<double>(21, 5.));
    BOOST_TEST(doubles(Tensor::zeros({5}, dtype, Device::cuda)) == std::vector<double>(5, 0.));
    const Tensor x = Tensor::from(Ints{0, 1, 7, 200}, {4});
    BOOST_TEST(doubles(x.to(Device::cuda).to(dtype)) == (std::vector<double>{0, 1, 7, 200}));
  }
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor a = random({1000}, dtype), b = random({10, 100}, dtype).view({1000});
    Tensor on_cpu = a.clone(), on_device = a.to(Device::cuda);
    add_into_kernel(Device::cpu, b, on_cpu);
    add_into_kernel(Device::cuda, b.to(Device::cuda), on_device);
    BOOST_TEST(doubles(on_device) == doubles(on_cpu));
  }
}

BOOST_AUTO_TEST_CASE(sums_down_to_a_shape_agree_with_the_cpu) {
  struct Sum {
    Shape from, to;
  };
  const Sum sums[] = {
      {{5}, {}},           {{40000}, {}},          {{3, 7}, {7}},       {{700, 33}, {33}},
      {{1300, 3}, {3}},    {{2, 3, 64}, {64}},     {{4, 5}, {4, 1}},    {{3, 700}, {3, 1}},
      {{3, 4, 5}, {4, 1}}, {{3, 4, 5}, {3, 1, 5}}, {{2, 1, 6}, {1, 6}}, {{2, 3, 4, 5}, {3, 1, 5}},
      {{0, 3}, {3}},       {{3, 0}, {3, 1}},       {{0}, {}},           {{5, 1}, {1, 1}}};
  for (const auto& [from, to] : sums) {
    const Tensor x = random(from, DType::f64), there = x.to(Device::cuda);
    const auto want = doubles(sum_to(x, to)), got = doubles(sum_to(there, to));
    BOOST_REQUIRE_EQUAL(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i)
      BOOST_TEST(std::abs(got[i] - want[i]) <= 1e-11,
                 from.str() << " to " << to.str() << ": " << got[i] << ", the CPU has " << want[i]);
    BOOST_TEST(doubles(sum_to(there, to)) == got);  // the same bits again
  }
}

// The products of a batch may run concurrently, and must not disturb each other.
BOOST_AUTO_TEST_CASE(a_batch_of_products_has_the_same_bits_each_time) {
  const Tensor a = random({8, 24, 40}, DType::f64).to(Device::cuda), b = a.view({8, 40, 24});
  const auto first = doubles(matmul(a, b));
  int differ = 0;
  for (int i = 0; i < 500; ++i) differ += doubles(matmul(a, b)) != first;
  BOOST_TEST(differ == 0);
}

// Ties: 1 + 2^-11 lies between 1 and 1 + 2^-10.
BOOST_AUTO_TEST_CASE(tf32_is_the_nearest_number) {
  BOOST_TEST(to_tf32(1.0f) == 1.0f);
  BOOST_TEST(to_tf32(1.0f + 0x1p-11f) == 1.0f + 0x1p-10f);
  BOOST_TEST(to_tf32(1.0f + 0x1p-11f - 0x1p-20f) == 1.0f);
  BOOST_TEST(to_tf32(-1.0f - 0x1p-11f) == -1.0f - 0x1p-10f);
  BOOST_TEST(to_tf32(2.0f - 0x1p-20f) == 2.0f);
  BOOST_TEST(to_tf32(std::numeric_limits<float>::max()) == INFINITY);
  BOOST_TEST(to_tf32(-INFINITY) == -INFINITY);
  BOOST_TEST(std::isnan(to_tf32(NAN)));
}

BOOST_AUTO_TEST_CASE(fast_exponentials) {
  const std::vector<double> x{-INFINITY, -1e30, -10, -3.25, -0.001, 0, 0.5, 2.125, 10};
  const auto y = doubles(fast_exps2(Tensor::from(x, {9}).to(DType::f32).to(Device::cuda)));
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = std::exp2(double{static_cast<float>(x[i])});
    BOOST_TEST(std::abs(y[i] - expected) <= 1e-6 * expected);
  }
}

BOOST_AUTO_TEST_CASE(asynchronous_copies) {
  constexpr size_t kTiles = 5, kTile = 64, kLast = 36;
  const Tensor x = random({kTiles, kTile}, DType::f32);
  const auto from = doubles(x), to = doubles(reverse_tiles(x.to(Device::cuda), kLast));
  for (size_t i = 0; i < to.size(); ++i) {
    const size_t tile = i / kTile, source = kTile - 1 - i % kTile;
    BOOST_TEST(to[i] == (tile == kTiles - 1 && source >= kLast ? 0 : from[tile * kTile + source]));
  }
}

// A sum of 9 numbers below 40 in f32. No element equals another, so that one in the wrong place shows.
BOOST_AUTO_TEST_CASE(tensor_cores_multiply) {
  const auto on_device = [](const std::vector<double>& x, const Shape& shape) {
    return Tensor::from(x, shape).to(DType::f32).to(Device::cuda);
  };
  std::vector<double> a(16 * 8), b(8 * 8), c(16 * 8), expected(16 * 8);
  const auto draw = [](std::vector<double>& x, uint64_t seed) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(4 * uniform_f64({seed, 9}, i) - 2);
  };
  draw(a, 1);
  draw(b, 2);
  draw(c, 3);
  const auto rounded = [](double x) { return to_tf32(static_cast<float>(x)); };
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j) {
      expected[i * 8 + j] = c[i * 8 + j];
      for (size_t k = 0; k < 8; ++k)
        expected[i * 8 + j] += double{rounded(a[i * 8 + k])} * double{rounded(b[k * 8 + j])};
    }
  const Tensor sum = tensor_core_product(on_device(c, {16, 8}), on_device(a, {16, 8}), on_device(b, {8, 8}));
  BOOST_TEST(largest_difference(doubles(sum), expected) < 2e-5);
}

// 2e-5: sums of 17 numbers of at most 4, in f32.
BOOST_AUTO_TEST_CASE(tensor_cores_multiply_bf16) {
  const Tensor a = random({16, 16}, DType::bf16).to(Device::cuda),
               b = random({16, 8}, DType::bf16).to(Device::cuda),
               c = random({16, 8}, DType::f32).to(Device::cuda);
  const std::vector<double> left = doubles(a), right = doubles(b);
  std::vector<double> expected = doubles(c);
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j)
      for (size_t k = 0; k < 16; ++k) expected[i * 8 + j] += left[i * 16 + k] * right[k * 8 + j];
  BOOST_TEST(largest_difference(doubles(bf16_product(c, a, b)), expected) < 2e-5);
  BOOST_TEST(largest_difference(doubles(bf16_product_of_matrices(c, a, b)), expected) < 2e-5);
}

// relu(x·Wᵀ + b) of bf16: on addresses of 16 bytes in one product; else bias and relu are left to the caller.
BOOST_AUTO_TEST_CASE(a_product_with_bias_and_relu) {
  const auto there = [](const Tensor& x) { return x.to(DType::bf16).to(Device::cuda); };
  const Tensor x = there(random({5, 16}, DType::f32)), w = there(random({8, 16}, DType::f32)),
               b = there(random({8}, DType::f32)), room = there(Tensor::zeros({6, 8}));
  const auto expected = [&](bool finished) {
    const auto plain = doubles(matmul(x.to(DType::f64), w.to(DType::f64), {.b = true})), bias = doubles(b);
    std::vector<double> y;
    for (size_t i = 0; i < plain.size(); ++i)
      y.push_back(finished ? std::max(plain[i] + bias[i % 8], 0.0) : plain[i]);
    return y;
  };
  for (const int64_t first : {8, 4}) {  // elements of 2 bytes
    const Tensor y = room.view({48}).rows(first, first + 40);
    BlasProduct product =
        row_major_product(x, w, {.batch = 1, .m = 5, .n = 8, .k = 16, .transpose = {.b = true}}, y);
    product.bias = b.data_bytes();
    product.relu = true;
    const bool finished = cuda_product(product);
    BOOST_TEST(finished == (first == 8));
    BOOST_TEST(largest_difference(doubles(y), expected(finished)) <=
               66 * 0x1p-9);  // one rounding of up to 66
  }
}

// Each product of two factors in [−2, 2) has an error of up to 4·2^-10.
BOOST_AUTO_TEST_CASE(products_are_in_tf32_while_that_is_set) {
  const Tensor a = random({128, 96}, DType::f32).to(Device::cuda),
               b = random({128, 160}, DType::f32).to(Device::cuda);
  for (const Transpose t : {Transpose{true, false}, {false, false}, {false, true}, {true, true}}) {
    const Tensor x = t.a ? a : random({96, 128}, DType::f32).to(Device::cuda),
                 y = t.b ? random({160, 128}, DType::f32).to(Device::cuda) : b;
    const auto product = [&] { return doubles(matmul(x, y, t)); };
    const auto exact = doubles(matmul(x.to(DType::f64), y.to(DType::f64), t)), in_f32 = product();
    {
      const ProductPrecisionScope tf32(ProductPrecision::tf32);
      const double error = largest_difference(product(), exact);
      BOOST_TEST(error > 1e-3);
      BOOST_TEST(error < 4 * 0x1p-10 * std::sqrt(128.0));
      BOOST_TEST(doubles(matmul(x.to(DType::f64), y.to(DType::f64), t)) == exact);
    }
    BOOST_TEST(product() == in_f32);
    BOOST_TEST(largest_difference(in_f32, exact) < 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(out_of_memory_says_what_to_do) {
  const Tensor some = Tensor::zeros({1000}, DType::f32, Device::cuda);
  const MemoryStats before = memory_stats(Device::cuda);
  const std::string message = error_of([] { Tensor::empty({int64_t{1} << 48}, DType::f32, Device::cuda); });
  const MemoryStats after = memory_stats(Device::cuda);
  BOOST_TEST(message.starts_with(fmt::format(
                 "cuda: out of memory: requested {} bytes, {} live, peak {}, {} kept by the pool, ",
                 int64_t{1} << 50, before.live, before.peak, after.system - after.live)),
             message);
  BOOST_TEST(
      message.ends_with(
          " (lower train.batch, train.turns, model.block or model.max_span, or train with model.recompute)"),
      message);
  BOOST_TEST(after.live == before.live);
  BOOST_TEST(Tensor::full({}, 2, DType::f32, Device::cuda).item() == 2);
}

// Memory that was released in many blocks, by a host that did not wait for the device, is there for a larger
// one. (On the emulated device most of it is never touched.)
BOOST_AUTO_TEST_CASE(released_memory_serves_larger_tensors) {
  trim_pool(Device::cuda);
  const DeviceBackend& device = backend(Device::cuda);
  const size_t all = device.free_bytes(), size = all / 20;
  const int64_t before = memory_stats(Device::cuda).system;
  const auto block = [](size_t bytes) {
    return Tensor::empty({static_cast<int64_t>(bytes)}, DType::u8, Device::cuda);
  };
  const std::vector<uint8_t> mark{7, 1, 8, 2};
  const auto write = [&](const Tensor& t) { t.rows(0, 4).copy_from(Tensor::from(mark, {4})); };
  std::vector<Tensor> blocks;
  while (device.free_bytes() > size + size / 2 + device.reserve) {
    blocks.push_back(block(size));
    write(blocks.back());
  }
  BOOST_TEST(blocks.size() >= 10u);
  BOOST_TEST(contains(error_of([&] { block(2 * size); }), "out of memory"));
  BOOST_TEST(device.free_bytes() >= device.reserve);
  for (const Tensor& t : blocks) write(t);
  blocks.clear();

  Tensor large = block(all / 10 * 6);
  write(large);
  BOOST_TEST(large.rows(0, 4).to_vector<uint8_t>() == mark);
  BOOST_TEST(device.free_bytes() >= device.reserve);
  large = {};
  trim_pool(Device::cuda);
  BOOST_TEST(memory_stats(Device::cuda).system == before);  // (other processes change what is free)
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
