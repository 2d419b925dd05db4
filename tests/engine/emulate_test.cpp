// The errors that the emulated device reports for wrong kernels. (Correct kernels: cuda_test.cpp.)
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <set>

#include "engine/cuda/async_copy.h"
#include "engine/cuda/blas_libraries.h"
#include "engine/cuda/cuda.h"
#include "engine/cuda/emulate/memory.h"
#include "engine/cuda/mma.h"
#include "engine/cuda/side_stream.h"
#include "engine/primitives.h"
#include "engine/tensor.h"
#include "tests/engine/example_product.h"
#include "tests/support.h"
#include "tests/threads.h"

namespace fade::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

boost::test_tools::assertion_result sanitized(boost::unit_test::test_unit_id) { return kSanitized; }

__global__ void some_return() {
  if (blockIdx.x == 1 && threadIdx.x >= 40) return;
  __syncthreads();
}

__global__ void two_barriers() {
  if (threadIdx.x < 40)  // NOLINT(bugprone-branch-clone): two barriers
    __syncthreads();
  else
    __syncthreads();
}

__global__ void barrier_against_shuffle() {
  if (threadIdx.x < 32)
    __syncthreads();
  else if (threadIdx.x < 40)
    __shfl_sync(~0u, 1, 0);
}

__global__ void lanes_returned() {
  if (threadIdx.x > 4) return;
  __shfl_xor_sync(~0u, 1, 1);
}

__global__ void lanes_return_before() {
  if (threadIdx.x < 4) return;
  __syncwarp();
}

__global__ void not_in_mask() { __ballot_sync(0xffff0000u, 1); }

__global__ void lane_takes_no_part() { __shfl_xor_sync(~0u, 1, 16); }

__global__ void unrounded_operand() {
  float c[4] = {};
  mma_tf32(c, {1, 1, 1 + 0x1p-11f, 1}, {1, 1});
}

__global__ void misaligned_row() {
  __shared__ float4 rows[2];
  uint32_t to[4];
  load_matrices(to, reinterpret_cast<const bf16*>(rows) + 4 * (threadIdx.x % 2));
}

__global__ void two_exchanges() {
  if (threadIdx.x < 4)
    __shfl_sync(~0u, 1, 0);
  else
    __ballot_sync(~0u, 1);
}

__global__ void throws() {
  __syncthreads();
  if (blockIdx.y == 1 && threadIdx.y == 2) throw std::runtime_error("enough");
  __syncthreads();
}

__global__ void uninitialised(float* out) { out[threadIdx.x] = dynamic_shared<float>()[threadIdx.x]; }

/// What is wrong with an asynchronous copy.
enum class CopyFault {
  none,
  not_awaited,
  not_closed,
  from_shared,
  to_global,
  to_stack,
  beyond_the_end,
  misaligned_source,
  misaligned_destination,
  writes_source,
  writes_destination
};

// Shared memory of 32 bytes and x of 32 elements. out: four elements before and after the wait.
__global__ void copies(float* x, float* out, CopyFault fault) {
  using enum CopyFault;
  float* const line = dynamic_shared<float>();
  alignas(16) float local[4];
  const float* const from = fault == from_shared ? line + 4 : fault == misaligned_source ? x + 1 : x;
  float* const to = fault == to_global                ? out
                    : fault == to_stack               ? local
                    : fault == beyond_the_end         ? line + 8
                    : fault == misaligned_destination ? line + 2
                                                      : line;
  copy_async(to, from, true);
  if (fault != not_closed) close_copies();
  for (int i = 0; i < 4; ++i) out[i] = line[i];
  if (fault == writes_source) x[3] = -1;
  if (fault == writes_destination) line[3] = -1;
  if (fault != not_awaited) wait_for_copies<0>();
  for (int i = 0; i < 4; ++i) out[4 + i] = line[i];
}

// The system's thread that runs each thread, if it is the same before and after a barrier, else −1.
__global__ void on_which_thread(int* out) {
  const int before = ::gettid();
  __syncthreads();
  out[grid_thread()] = ::gettid() == before ? before : -1;
}

/// The error of a launch.
template <class... P>
std::string report(void (*kernel)(P...), dim3 grid, dim3 block) {
  return error_of([&] { launch("bad", kernel, grid, block, 0); });
}

struct Outcome {
  std::string output;  // stdout and stderr
  bool ended_well;
};

Outcome run_fault(const std::string& name, const std::string& environment = "") {
  Outcome result;
  const auto faults = std::filesystem::read_symlink("/proc/self/exe").replace_filename("emulate_faults");
  const std::string command = environment + " " + faults.string() + " " + name + " 2>&1";
  FILE* const pipe = ::popen(command.c_str(), "r");
  BOOST_REQUIRE(pipe);
  std::array<char, 4096> part;
  while (const size_t n = std::fread(part.data(), 1, part.size(), pipe)) result.output.append(part.data(), n);
  result.ended_well = ::pclose(pipe) == 0;
  return result;
}

// The program fails and prints all of `parts`.
void check_fault(const std::string& name, const std::vector<std::string>& parts) {
  const Outcome got = run_fault(name);
  BOOST_TEST(!got.ended_well, name << " ended well");
  for (const std::string& part : parts)
    BOOST_TEST(contains(got.output, part), name << ": no \"" << part << "\" in " << got.output);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(emulated_device)

BOOST_AUTO_TEST_CASE(a_barrier_that_some_never_reach) {
  const std::string text = report(some_return, 3, 64);
  BOOST_TEST(contains(text, "kernel bad, thread block (1,0,0): "), text);
  BOOST_TEST(contains(text, "threads 40-63 returned"), text);
  BOOST_TEST(contains(text, "threads 0-39 wait at __syncthreads at "), text);
  BOOST_TEST(contains(text, "tests/engine/emulate_test.cpp:"), text);
}

BOOST_AUTO_TEST_CASE(a_barrier_on_both_sides_of_a_branch) {
  const std::string text = report(two_barriers, 1, 64);
  BOOST_TEST(contains(text, "kernel bad, thread block (0,0,0), thread (40,0,0): __syncthreads at "), text);
  BOOST_TEST(contains(text, "while thread 0 of the thread block waits at __syncthreads at "), text);
}

BOOST_AUTO_TEST_CASE(threads_that_wait_for_each_other) {
  const std::string text = report(barrier_against_shuffle, 1, 40);
  BOOST_TEST(contains(text, "threads 0-31 wait at __syncthreads"), text);
  // The shuffle among the eight threads that exist is correct.
  BOOST_TEST(contains(text, "threads 32-39 returned"), text);
}

BOOST_AUTO_TEST_CASE(lanes_of_a_mask_that_never_come) {
  const std::string text = report(lanes_returned, 1, 32);
  BOOST_TEST(contains(text, "threads 0-4 wait at __shfl_xor_sync"), text);
  BOOST_TEST(contains(text, "threads 5-31 returned"), text);
  const std::string before = report(lanes_return_before, 1, 32);
  BOOST_TEST(contains(before, "thread (4,0,0): __syncwarp at "), before);
  BOOST_TEST(contains(before, "the mask 0xffffffff names lane 0, which has returned"), before);
}

BOOST_AUTO_TEST_CASE(exchanges_that_do_not_fit) {
  const std::string mask = report(not_in_mask, 1, 32), lane = report(lane_takes_no_part, 1, 16),
                    two = report(two_exchanges, 1, 32), bits = report(unrounded_operand, 1, 32),
                    row = report(misaligned_row, 1, 32);
  BOOST_TEST(contains(mask, "thread (0,0,0): __ballot_sync at "), mask);
  BOOST_TEST(contains(mask, "the mask 0xffff0000 does not name the calling lane 0"), mask);
  BOOST_TEST(contains(lane, "reads from lane 16, which takes no part"), lane);
  BOOST_TEST(contains(two, "thread (4,0,0): __ballot_sync at "), two);
  BOOST_TEST(contains(two, "wait at __shfl_sync"), two);
  BOOST_TEST(contains(bits, "mma_tf32 at "), bits);
  BOOST_TEST(contains(bits, "an operand is 1.0004883, which has more bits than TF32"), bits);
  BOOST_TEST(contains(row, "load_matrices at "), row);
  BOOST_TEST(contains(row, "the row of lane 1 is at "), row);
}

BOOST_AUTO_TEST_CASE(an_exception_names_its_thread_and_the_device_still_works) {
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(report(throws, dim3(1, 2), dim3(8, 4)) ==
               "kernel bad, thread block (0,1,0), thread (0,2,0): enough");
  BOOST_TEST(report(two_barriers, 1, 40) == "(no error)");
}

BOOST_AUTO_TEST_CASE(sizes_that_no_device_has) {
  BOOST_TEST(contains(report(two_barriers, 1, 2000), "bad: thread blocks of 2000x1x1 threads"));
  BOOST_TEST(contains(report(two_barriers, dim3(1, 70000), 1), "bad: a grid of 1x70000x1 thread blocks"));
  BOOST_CHECK_THROW(launch("bad", uninitialised, 1, 1, 200000, nullptr), Error);
}

BOOST_AUTO_TEST_CASE(shared_memory_begins_as_nan) {
  const Tensor x = Tensor::zeros({8}, DType::f32, Device::cuda);
  launch("uninitialised", uninitialised, 1, 8, 8 * sizeof(float), x.mutate<float>());
  for (const float v : x.to_vector<float>()) BOOST_TEST(std::isnan(v));
  const Tensor fresh = Tensor::empty({3000, 1001}, DType::f64, Device::cuda);  // of a size not used before
  BOOST_TEST(std::isnan(fresh.to_vector<double>()[123456]));
}

BOOST_AUTO_TEST_CASE(copies_arrive_at_their_wait_and_not_before) {
  using enum CopyFault;
  const Tensor x = Tensor::full({32}, 7, DType::f32, Device::cuda),
               out = Tensor::zeros({8}, DType::f32, Device::cuda);
  const auto report = [&](CopyFault fault) {
    return error_of([&] { launch("bad", copies, 1, 1, 32, x.mutate<float>(), out.mutate<float>(), fault); });
  };
  BOOST_TEST(report(none) == "(no error)");
  const auto y = out.to_vector<float>();
  for (size_t i = 0; i < 4; ++i) BOOST_TEST((std::isnan(y[i]) && y[4 + i] == 7));
  BOOST_TEST(std::bit_cast<int32_t>(y[0]) == std::numeric_limits<int32_t>::max());

  const auto check = [&](CopyFault fault, const char* why) {
    const std::string text = report(fault);
    BOOST_TEST(contains(text, "kernel bad, thread block (0,0,0), thread (0,0,0): copy_async at "), text);
    BOOST_TEST(contains(text, "tests/engine/emulate_test.cpp:"), text);
    BOOST_TEST(contains(text, why), text << " lacks: " << why);
  };
  check(not_awaited, "returns without having waited for the copy (wait_for_copies<0>)");
  check(not_closed, "returns without having waited for the copy (close_copies, then wait_for_copies<0>)");
  check(from_shared, "is not within global memory");
  for (const CopyFault fault : {to_global, to_stack, beyond_the_end})
    check(fault, "is not within shared memory");
  check(misaligned_source, "its source");
  check(misaligned_destination, "is not a multiple of 16");
  check(writes_source, "its source was written to before the copy arrived");
  check(writes_destination, "its destination was written to before the copy arrived");
}

BOOST_AUTO_TEST_CASE(work_on_a_side_stream_is_done_when_it_is_joined) {
  const Tensor one = Tensor::full({3}, 1, DType::f32, Device::cuda), x = one.clone();
  const auto values = [&] { return x.to_vector<float>(); };
  const auto add_one = [&] { add_into_kernel(Device::cuda, one, x); };
  SideStream stream;
  stream.run(x, add_one);
  stream.run(x, add_one);
  BOOST_TEST(std::ranges::all_of(values(), [](float v) { return std::isnan(v); }));
  stream.join();
  BOOST_TEST(values() == std::vector<float>(3, 3), boost::test_tools::per_element());

  stream.run(x, add_one);
  fill_kernel(Device::cuda, 0, x);
  BOOST_TEST(error_of([&] { stream.join(); }) ==
             "cuda (emulated): a tensor was written while a side stream used it (join the stream first)");
}

BOOST_AUTO_TEST_CASE(blocks_stay_on_their_thread) {
  const Threads two(2);
  const Tensor x = Tensor::full({64 * 128}, -2, DType::i32, Device::cuda);
  launch("on_which_thread", on_which_thread, 64, 128, 0, x.mutate<int>());
  const auto thread = x.to_vector<int>();
  std::set<int> seen;
  for (size_t block = 0; block < 64; ++block) {
    const std::set<int> own(thread.begin() + static_cast<long>(block * 128),
                            thread.begin() + static_cast<long>(block * 128 + 128));
    BOOST_TEST(own.size() == 1u);
    seen.insert(*own.begin());
  }
  BOOST_TEST(!seen.contains(-1));
  BOOST_TEST(seen.size() <= (kSanitized ? 1u : 2u));
}

BOOST_AUTO_TEST_CASE(a_crash_names_its_thread) {
  check_fault("wild_pointer", {"in kernel wild_pointer, thread block (2,0,0), thread (5,0,0)"});
  check_fault("no_end", {"in kernel no_end, thread block (0,0,0), thread (5,0,0)"});
}

BOOST_AUTO_TEST_CASE(sanitizers_find_what_is_out_of_range, *boost::unit_test::precondition(&sanitized)) {
  const auto thread = [](const std::string& kernel, int block) {
    return fmt::format("in kernel {}, thread block ({},0,0), thread (5,0,0)", kernel, block);
  };
  check_fault("one_too_far", {"AddressSanitizer", "WRITE of size 4", thread("one_too_far", 2)});
  check_fault("given_back", {"AddressSanitizer", thread("given_back", 2)});
  check_fault("static_too_far", {"AddressSanitizer: global-buffer-overflow", thread("static_too_far", 0)});
  check_fault("dynamic_too_far", {"AddressSanitizer: heap-buffer-overflow", thread("dynamic_too_far", 0)});
#ifndef __clang__  // its sanitizer does not check the address of a struct copy
  check_fault("misaligned", {"misaligned address", thread("misaligned", 0)});
#endif
}

BOOST_AUTO_TEST_CASE(host_code_cannot_touch_the_devices_memory) {
  if (!emulate::memory_is_guarded()) {
    BOOST_TEST_MESSAGE("skipped: this processor has no protection keys");
    return;
  }
  if (kSanitized)
    check_fault("read_by_host", {"SEGV"});
  else
    check_fault("read_by_host", {"host code touched memory of device cuda"});
}

BOOST_AUTO_TEST_CASE(the_other_order_shows_a_missing_barrier) {
  const std::string forward = run_fault("no_barrier").output,
                    reverse = run_fault("no_barrier", "FADE_EMULATE_ORDER=reverse").output;
  BOOST_TEST(contains(forward, "still running"), forward);
  BOOST_TEST(contains(reverse, "still running"), reverse);
  BOOST_TEST(forward != reverse);
  BOOST_TEST(
      contains(run_fault("no_barrier", "FADE_EMULATE_ORDER=sideways").output, "allowed: forward, reverse"));
}

// What a GPU's cuBLASLt would have no algorithm for, and what is a mistake of its caller. Nothing is computed.
BOOST_AUTO_TEST_CASE(cublaslt_refuses_products) {
  BOOST_TEST(!blas_lt_product(changed_product([](BlasProduct& p) { advance(p.a, 8); })));
  BOOST_TEST(!blas_lt_product(changed_product([](BlasProduct& p) { advance(p.bias, 4); })));
  BOOST_TEST(!blas_lt_product(changed_product([](BlasProduct& p) { p.ld_c = 36; })));
  const auto error = [](const auto& change) {
    return error_of([&] { blas_lt_product(changed_product(change)); });
  };
  BOOST_TEST(error([](BlasProduct& p) { p.add = true; }) ==
             "cublasLt: bias and relu of a product that is added to a result");
  BOOST_TEST(
      contains(error([](BlasProduct& p) { p.batch = 2; }), "needs CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE"));
  BOOST_TEST(error([](BlasProduct& p) { p.ld_b = 8; }) ==
             "cublasLt: ld_b is 8, a column has 64 numbers: CUBLAS_STATUS_INVALID_VALUE");
  BOOST_TEST(error([](BlasProduct& p) { p.result = DType::f64; }) ==
             "cublasLt: a product of bf16 with a result of f64: CUBLAS_STATUS_NOT_SUPPORTED");
  BOOST_TEST(error_of([&] { blas_product(example_product()); }) == "cublas: has no bias and no relu");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
