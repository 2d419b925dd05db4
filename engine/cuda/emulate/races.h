// Races in kernels: two threads access one address, one of them writes, and no barrier is between the two
// accesses; and reads of shared memory that no thread of the thread block has written. A kernel with one of
// them computes different things on different devices, or in different runs.
//
// Only with FADE_RACECHECK, for which the compiler calls race_calls.cpp at each access to memory. What is found
// does not depend on the order in which the emulated device runs the threads: each thread counts the barriers
// that it has passed, and knows which counts of the others are before the barriers at which it met them (vector
// clocks, as in Flanagan and Freund: FastTrack, 2009).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace fade::emulate {

#ifdef FADE_RACECHECK
inline constexpr bool kRacecheck = true;
#else
inline constexpr bool kRacecheck = false;
#endif

struct Grid;

/// What an access does. Where it is `pending`, it may happen at any time until `arrive`.
struct AccessKind {
  bool write = false, atomic = false, pending = false;
};

namespace races {

/// The device's memory at p, whole pages of the system, is from now on checked, or no longer.
void add_memory(const void* p, size_t bytes);
void remove_memory(const void* p, size_t bytes);

/// A launch, after all that was launched before. Its thread blocks run on the calling thread of the operating
/// system, and no other launch runs meanwhile.
void begin_launch(const Grid& grid);

/// Thread block `number` of the launch begins; its dynamic shared memory is at `shared`.
void begin_block(int64_t number, const void* shared);

/// All threads of the thread block have met.
void block_barrier();

/// These lanes of a warp have met at __syncwarp. (CUDA orders no memory at other operations of a warp.)
void warp_barrier(int warp, uint32_t lanes);

/// The running thread, if a kernel runs, accesses `bytes` at p, in the instruction before the address `code`.
void access(const void* p, size_t bytes, AccessKind kind, const void* code);

/// The running thread's pending access, by the same arguments otherwise, has happened.
void arrive(const void* p, size_t bytes, AccessKind kind, const void* code);

/// The first race of the launch so far, else the first read of what was never written, in one sentence; empty
/// if there was none.
std::string found();

}  // namespace races
}  // namespace fade::emulate
