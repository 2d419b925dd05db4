// The races that the emulated device finds in wrong kernels, in builds with FADE_RACECHECK; next to each, the
// right kernel, in which it finds none.
#include <boost/test/unit_test.hpp>
#include <regex>
#include <thread>

#include "engine/cuda/async_copy.h"
#include "engine/cuda/cuda.h"
#include "engine/cuda/mma.h"
#include "engine/tensor.h"
#include "tests/support.h"

namespace fade::test {
namespace {

// The lines of the two accesses that race.
int line_a = 0, line_b = 0;

/// What stands between two accesses.
enum Between { nothing, syncthreads, syncwarp, sync_halves, shuffle, ballot };

__device__ void between(Between what) {
  if (what == syncthreads) __syncthreads();
  if (what == syncwarp) __syncwarp();
  if (what == sync_halves) __syncwarp(threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u);
  if (what == shuffle) __shfl_sync(~0u, 1, 0);
  if (what == ballot) __ballot_sync(~0u, 1);
}

// Each thread reads what the one `distance` further wrote.
__global__ void read_after_write(float* out, Between what, unsigned distance) {
  float* const line = dynamic_shared<float>();
  line[threadIdx.x] = 0;
  __syncthreads();
  line[threadIdx.x] = 1, line_a = __LINE__;
  between(what);
  out[grid_thread()] = line[(threadIdx.x + distance) % blockDim.x], line_b = __LINE__;
}

__global__ void read_before_first_write(float* out, Between what) {
  __shared__ float line[64];
  line[threadIdx.x] = 1;
  between(what);
  out[threadIdx.x] = line[threadIdx.x ^ 1];
}

__global__ void write_after_read(float* out, Between what) {
  __shared__ float line[64];
  line[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = line[(threadIdx.x + 1) % blockDim.x], line_a = __LINE__;
  between(what);
  line[threadIdx.x] = 2, line_b = __LINE__;
}

// One thread writes what all of its warp read.
__global__ void write_after_many_read(float* out, Between what) {
  __shared__ float one;
  if (threadIdx.x == 0) one = 1;
  __syncthreads();
  out[threadIdx.x] = one;
  between(what);
  if (threadIdx.x == 0) one = 2;
}

__global__ void write_after_write(float* out, Between what) {
  out[threadIdx.x] = 1;
  between(what);
  out[threadIdx.x ^ 1] = 2;
}

__global__ void one_word(float* out, bool of_block) {
  if (threadIdx.x == 0) out[of_block ? blockIdx.x : 7] = 1;
}

// A thread block reads what the one before it wrote.
__global__ void neighbour(float* out, bool reads) {
  if (threadIdx.x == 0) out[blockIdx.x] = reads && blockIdx.x > 0 ? out[blockIdx.x - 1] : 1;
}

__global__ void reads_dynamic(float* out, bool all) {
  float* const line = dynamic_shared<float>();
  if (all || threadIdx.x != 5) line[threadIdx.x] = 1;
  out[threadIdx.x] = line[threadIdx.x], line_a = __LINE__;
}

__global__ void reads_static(float* out, bool all) {
  __shared__ double line[64];
  if (all || threadIdx.x != 5) line[threadIdx.x] = 1;
  out[threadIdx.x] = static_cast<float>(line[threadIdx.x]);
}

__global__ void counts(int* out, bool atomically, bool and_reads) {
  if (atomically)
    atomicAdd(out, 1);
  else
    *out += 1;
  if (and_reads && threadIdx.x == 0) out[1] = *out;
}

// Neighbours write bytes of one word: their own, or the same one.
__global__ void writes_bytes(uint8_t* out, bool own) { out[own ? threadIdx.x : threadIdx.x / 2] = 1; }

// Each byte of a word has its own writer, twice; in between the warp `reader` reads the bytes of the other.
__global__ void writes_bytes_again(float* out, Between what, unsigned reader) {
  __shared__ uint8_t line[64];
  line[threadIdx.x] = 1;
  __syncthreads();
  if (threadIdx.x / 32 == reader) out[threadIdx.x] = line[threadIdx.x ^ 32];
  between(what);
  line[threadIdx.x] = 2;
}

// Four bytes of a word are written in six pieces; all of them have been written then.
__global__ void writes_pieces(float* out) {
  __shared__ uint8_t bytes[4];
  if (threadIdx.x == 0) *reinterpret_cast<uint16_t*>(bytes) = 1;
  __syncwarp();
  if (threadIdx.x == 1) bytes[0] = 1;
  if (threadIdx.x == 2) bytes[1] = 1;
  if (threadIdx.x == 3) *reinterpret_cast<uint16_t*>(bytes + 2) = 1;
  __syncwarp();
  if (threadIdx.x == 4) bytes[2] = 1;
  __syncwarp();
  if (threadIdx.x == 5) out[0] = bytes[3];
}

// A pack of four elements overlaps what another thread writes.
__global__ void writes_pack(float* out, bool own) {
  if (threadIdx.x == 0) *reinterpret_cast<float4*>(out) = {1, 1, 1, 1};
  if (threadIdx.x == 1) out[own ? 4 : 3] = 1;
}

/// What a pipeline of asynchronous copies lacks.
enum Lack { complete, wait, last_group, barrier_after_wait, barrier_before_copy };

// Four tiles of 32 floats, one after the other in two stages. The first eight threads copy, and all threads read.
__global__ void pipeline(const float* x, float* out, Lack lack) {
  float* const stages = dynamic_shared<float>();
  const auto begin = [&](unsigned tile) {
    const unsigned first = 4 * threadIdx.x;
    if (tile < 4 && threadIdx.x < 8)
      copy_async(stages + tile % 2 * 32 + first, x + tile * 32 + first, true), line_a = __LINE__;
    close_copies();
  };
  begin(0);
  for (unsigned tile = 0; tile < 4; ++tile) {
    begin(tile + 1);
    if (lack == last_group)
      wait_for_copies<2>();
    else if (lack != wait)
      wait_for_copies<1>();
    if (lack != barrier_after_wait) __syncthreads();
    out[threadIdx.x] = stages[tile % 2 * 32 + threadIdx.x % 32], line_b = __LINE__;
    if (lack != barrier_before_copy) __syncthreads();
  }
  wait_for_copies<0>();
}

/// What a thread does before it has waited for its copy.
enum Early { nothing_early, read_to, write_to, write_from, copy_again };

// One thread copies and, early or not, touches both places. A barrier is no wait.
__global__ void touches(float* from, float* out, Early early) {
  float* const to = dynamic_shared<float>();
  if (threadIdx.x == 0) copy_async(to, from, true), line_a = __LINE__;
  close_copies();
  __syncthreads();
  if (threadIdx.x == 0 && early == read_to) out[0] = to[3], line_b = __LINE__;
  if (threadIdx.x == 0 && early == write_to) to[3] = 1, line_b = __LINE__;
  if (threadIdx.x == 0 && early == write_from) from[3] = 1, line_b = __LINE__;
  if (threadIdx.x == 0 && early == copy_again) copy_async(to, from, false), line_b = __LINE__;
  close_copies();
  wait_for_copies<0>();
  if (threadIdx.x == 0) out[0] = to[3], to[3] = 2, from[3] = 2;
  __syncthreads();
  if (threadIdx.x == 1) out[0] = to[3], to[3] = 3, from[3] = 3;
}

// The rows of the matrices are written by all threads.
__global__ void loads_matrices(float* out, Between what) {
  float* const line = dynamic_shared<float>();
  line[threadIdx.x] = 1;
  between(what);
  uint32_t to[4];
  load_matrices(to, reinterpret_cast<bf16*>(line) + 8 * (threadIdx.x % 16));
  out[threadIdx.x] = static_cast<float>(to[0]);
}

/// What a launch of two warps per thread block reports.
template <class... P>
std::string report(void (*kernel)(P...), int blocks, std::type_identity_t<P>... args) {
  constexpr int kThreads = 64;
  return error_of([&] { launch("planted", kernel, blocks, kThreads, kThreads * sizeof(float), args...); });
}

bool clean(const std::string& text) { return text == "(no error)"; }

bool race(const std::string& text, const std::string& memory) {
  return contains(text, "kernel planted") && contains(text, " race for " + memory + " memory: ");
}

/// `what` is "reads it", "atomically writes it" or the like.
bool names(const std::string& text, const std::string& what, int line) {
  const std::regex place(fmt::format("{} at tests/engine/racecheck_test.cpp:{}\\b", what, line));
  return std::regex_search(text, place);
}

struct Output {
  Tensor memory = Tensor::zeros({256}, DType::f32, Device::cuda);
  float* p = memory.mutate<float>();
  uint8_t* bytes = reinterpret_cast<uint8_t*>(p);
  int* ints = reinterpret_cast<int*>(p);
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(racecheck, Output)

BOOST_AUTO_TEST_CASE(a_missing_barrier_of_the_thread_block) {
  const std::string text = report(read_after_write, 1, p, nothing, 1);
  BOOST_TEST(race(text, "shared"), text);
  BOOST_TEST(contains(text, "kernel planted, thread block (0,0,0): thread ("), text);
  BOOST_TEST(names(text, "writes it", line_a), text);
  BOOST_TEST(names(text, "reads it", line_b), text);
  BOOST_TEST(clean(report(read_after_write, 3, p, syncthreads, 1)));  // each thread block has its own memory
}

BOOST_AUTO_TEST_CASE(what_is_read_before_its_first_write_is_a_race) {
  BOOST_TEST(race(report(read_before_first_write, 1, p, nothing), "shared"));
  BOOST_TEST(clean(report(read_before_first_write, 1, p, syncwarp)));
}

BOOST_AUTO_TEST_CASE(a_barrier_of_the_warp_orders_that_warp_alone) {
  BOOST_TEST(clean(report(write_after_write, 1, p, syncwarp)));
  BOOST_TEST(race(report(read_after_write, 1, p, syncwarp, 32), "shared"));
  BOOST_TEST(race(report(write_after_write, 1, p, nothing), "global"));
}

BOOST_AUTO_TEST_CASE(a_barrier_of_half_a_warp_orders_that_half_alone) {
  BOOST_TEST(clean(report(write_after_write, 1, p, sync_halves)));
  BOOST_TEST(race(report(write_after_many_read, 1, p, sync_halves), "shared"));
}

BOOST_AUTO_TEST_CASE(exchanges_of_a_warp_order_no_memory) {
  BOOST_TEST(race(report(write_after_write, 1, p, shuffle), "global"));
  BOOST_TEST(race(report(write_after_write, 1, p, ballot), "global"));
}

BOOST_AUTO_TEST_CASE(a_write_after_reads) {
  const std::string text = report(write_after_read, 1, p, nothing);
  BOOST_TEST(race(text, "shared"), text);
  BOOST_TEST(names(text, "reads it", line_a), text);
  BOOST_TEST(names(text, "writes it", line_b), text);
  BOOST_TEST(clean(report(write_after_read, 1, p, syncthreads)));
  BOOST_TEST(race(report(write_after_many_read, 1, p, syncwarp), "shared"));
  BOOST_TEST(clean(report(write_after_many_read, 1, p, syncthreads)));
}

BOOST_AUTO_TEST_CASE(two_thread_blocks_at_one_word) {
  const std::string text = report(one_word, 3, p, false);
  BOOST_TEST(race(text, "global"), text);
  BOOST_TEST(contains(text, "thread (0,0,0) of thread block (1,0,0)"), text);
  BOOST_TEST(clean(report(one_word, 3, p, true)));
  BOOST_TEST(race(report(neighbour, 3, p, true), "global"));
  BOOST_TEST(clean(report(neighbour, 3, p, false)));
}

BOOST_AUTO_TEST_CASE(shared_memory_that_was_never_written) {
  for (const std::string& text : {report(reads_dynamic, 1, p, false), report(reads_static, 1, p, false)})
    BOOST_TEST(contains(text,
                        "kernel planted, thread block (0,0,0), thread (5,0,0): reads shared memory "
                        "that no thread has written, at "),
               text);
  BOOST_TEST(names(report(reads_dynamic, 1, p, false), "no thread has written,", line_a));
  BOOST_TEST(clean(report(reads_dynamic, 1, p, true)));
  BOOST_TEST(clean(report(reads_static, 1, p, true)));
}

BOOST_AUTO_TEST_CASE(atomics_race_with_plain_accesses_alone) {
  BOOST_TEST(clean(report(counts, 2, ints, true, false)));
  BOOST_TEST(race(report(counts, 1, ints, false, false), "global"));
  const std::string text = report(counts, 1, ints, true, true);
  BOOST_TEST(race(text, "global"), text);
  BOOST_TEST(contains(text, "atomically writes it at "), text);
}

BOOST_AUTO_TEST_CASE(parts_of_words_and_packs_of_words) {
  BOOST_TEST(clean(report(writes_bytes, 1, bytes, true)));
  BOOST_TEST(race(report(writes_bytes, 1, bytes, false), "global"));
  for (const unsigned reader : {0u, 1u}) {
    BOOST_TEST(race(report(writes_bytes_again, 1, p, syncwarp, reader), "shared"));
    BOOST_TEST(clean(report(writes_bytes_again, 1, p, syncthreads, reader)));
  }
  BOOST_TEST(clean(report(writes_pieces, 1, p)));
  BOOST_TEST(clean(report(writes_pack, 1, p, true)));
  BOOST_TEST(race(report(writes_pack, 1, p, false), "global"));
}

BOOST_AUTO_TEST_CASE(a_pipeline_of_asynchronous_copies) {
  float* const out = p + 128;
  BOOST_TEST(report(pipeline, 1, p, out, complete) == "(no error)");
  for (const Lack lack : {wait, last_group}) {
    const std::string text = report(pipeline, 1, p, out, lack);
    BOOST_TEST(race(text, "shared"), text);
    BOOST_TEST(names(text, "asynchronously writes it", line_a), text);
    BOOST_TEST(names(text, "reads it", line_b), text);
    BOOST_TEST(contains(text, "wait_for_copies"), text);
  }
  for (const Lack lack : {barrier_after_wait, barrier_before_copy}) {
    const std::string text = report(pipeline, 1, p, out, lack);
    BOOST_TEST(race(text, "shared"), text);
    BOOST_TEST(names(text, "writes it", line_a), text);
    BOOST_TEST(names(text, "reads it", line_b), text);
    BOOST_TEST(contains(text, "no barrier is between them"), text);
  }
}

BOOST_AUTO_TEST_CASE(what_an_asynchronous_copy_reads_and_writes_before_it_arrives) {
  float* const out = p + 128;
  BOOST_TEST(report(touches, 1, p, out, nothing_early) == "(no error)");
  for (const auto& [early, where, first, second] :
       {std::tuple{read_to, "shared", "writes it", "reads it"},
        {write_to, "shared", "writes it", "writes it"},
        {write_from, "global", "reads it", "writes it"},
        {copy_again, "shared", "writes it", "asynchronously writes it"}}) {
    const std::string text = report(touches, 1, p, out, early);
    BOOST_TEST(race(text, where), text);
    BOOST_TEST(names(text, fmt::format("asynchronously {}", first), line_a), text);
    BOOST_TEST(names(text, second, line_b), text);
  }
}

BOOST_AUTO_TEST_CASE(matrices_are_read_by_the_lanes_that_name_their_rows) {
  BOOST_TEST(race(report(loads_matrices, 1, p, nothing), "shared"));
  BOOST_TEST(race(report(loads_matrices, 1, p, syncwarp), "shared"));
  BOOST_TEST(clean(report(loads_matrices, 1, p, syncthreads)));
}

BOOST_AUTO_TEST_CASE(any_thread_of_the_operating_system_may_launch) {
  std::string wrong, right;
  std::thread([&] {
    wrong = report(read_after_write, 1, p, nothing, 1);
    right = report(read_after_write, 1, p, syncthreads, 1);
  }).join();
  BOOST_TEST(race(wrong, "shared"), wrong);
  BOOST_TEST(clean(right), right);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
