// Small kernels, one for each feature of CUDA that kernels may use. Each function launches its kernel and
// reads the result back; cuda_test.cpp has the expected results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace fade::test {

/// Each thread of a grid of 3-dimensional blocks adds 1 + the number of its block to its own element.
std::vector<int32_t> count_threads(std::array<unsigned, 3> grid, std::array<unsigned, 3> block);

/// Exchanges in a warp, of the values 100 + lane.
enum class Exchange { from, up, down, exclusive_or };
std::vector<int32_t> exchange(Exchange kind, int argument, int width);
/// An exchange of doubles: 100.5 + lane, up by one.
std::vector<double> exchange_doubles();

/// Of lanes 0..31 with `values` (bits): ballot, any, all.
std::vector<int32_t> votes(uint32_t values);
/// The even and the odd lanes of a warp vote separately, the odd ones three times. Returns, per lane, the sum
/// of the lanes that took part in its votes.
std::vector<int32_t> votes_apart();
/// Lane 0 of each warp writes, and the others read after __syncwarp.
std::vector<int32_t> warp_broadcast(int threads);

/// `threads` numbers, reversed through static shared memory, through dynamic shared memory of int and of
/// double: the result is the input reversed three times, with 3 added.
std::vector<int32_t> reverse_thrice(int threads);
/// __syncthreads_count, _or, _and of (thread < below), for a block of 96.
std::vector<int32_t> barrier_votes(int below);

/// Integer atomics by `blocks` × 128 threads: add, sub, max, min, or, and, exchange (a value some thread
/// wrote), compare-and-swap (how many won).
std::vector<int32_t> atomics(int blocks);

/// Copies through float4, double2 and int4.
Tensor copy_float4(const Tensor& x);
Tensor copy_double2(const Tensor& x);
Tensor copy_int4(const Tensor& x);

/// Of x [rows, n]: the block_sum and, by block_reduce, the maximum of each row, [rows, 2], by blocks of
/// `threads`. f32 or f64.
Tensor block_reductions(const Tensor& x, int threads);
/// warp_reduce by groups of 8 lanes, of the numbers 0..31.
std::vector<int32_t> group_sums();

/// c + a·b by mma_tf32, a [16, 8], b [8, 8], c [16, 8], f32: each lane loads and stores the elements that the
/// PTX ISA says are its own.
Tensor tensor_core_product(const Tensor& c, const Tensor& a, const Tensor& b);
/// The same by mma_bf16: a [16, 16] and b [16, 8] of bf16, c [16, 8] f32.
Tensor bf16_product(const Tensor& c, const Tensor& a, const Tensor& b);
/// The same; a and b in shared memory, from which their fragments are loaded as matrices.
Tensor bf16_product_of_matrices(const Tensor& c, const Tensor& a, const Tensor& b);

/// x [tiles, 64] f32, each tile reversed, by asynchronous copies in two stages. Of the last tile only `last` elements,
/// a multiple of 4, are copied; the others are 0.
Tensor reverse_tiles(const Tensor& x, int64_t last);

/// fast_exp2 of each element, f32.
Tensor fast_exps2(const Tensor& x);

/// i² for i < n, by launch_each.
std::vector<int32_t> squares(int64_t n);
/// table[index[i]], with an IndexCheck named "gather"; −1 where the index is out of range.
Tensor checked_gather(const Tensor& table, const Tensor& index);

/// A grid with no blocks, and blocks with too many threads: launched under the name "none" and "too_many".
void launch_nothing();
void launch_too_many();

}  // namespace fade::test
