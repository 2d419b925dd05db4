// One thread block of a launch. Its threads take turns on one thread of the operating system.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "engine/cuda/emulate/cuda.h"
#include "engine/cuda/emulate/fiber.h"
#include "engine/cuda/emulate/report.h"

namespace fade::emulate {

/// A thread of the thread block.
struct Thread {
  uint3 index{};
  Fiber* fiber = nullptr;          ///< the stack on which it runs; nullptr before it starts
  const char* waits_at = nullptr;  ///< the last barrier or exchange at which it waited,
  Site site{};                     ///< and the line of that
};

/// The lanes of one mask, which meet at one warp operation after the other. Two sets of values are enough:
/// a lane that brings its third value has read those of the first meeting, and so have all lanes that came
/// to the second.
struct Meeting {
  uint32_t mask = 0, arrived = 0, number = 0;
  const char* what = nullptr;
  std::array<std::array<uint64_t, 32>, 2> values;
};

struct Warp {
  uint32_t exist = 0, ready = 0, returned = 0;  ///< sets of lanes
  std::deque<Meeting> meetings;                 ///< one per mask
  Meeting& meeting(uint32_t mask);
};

/// Runs thread blocks, one after the other. Each thread of the operating system has its own worker.
class Worker {
 public:
  /// The worker of the calling thread.
  static Worker& mine();
  /// The worker of the calling thread while it runs a thread block; otherwise nullptr.
  static Worker* running();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  /// Runs thread block `block` of the grid. Throws, saying where, what one of its threads threw, or that
  /// some wait forever.
  void run_block(const Grid& grid, const Body& body, int64_t block);

  // For the running thread:
  int block_barrier(bool value, const char* what, Site site);
  const uint64_t* warp_exchange(uint32_t mask, uint64_t value, const char* what, Site site);
  void check_source(uint32_t mask, int from, const char* what, Site site) const;
  void* shared_memory() const { return shared_.get(); }
  const char* kernel() const { return grid_->name; }

 private:
  struct Abandoned {};  // thrown in the threads that wait when another has failed

  Worker() = default;
  void set_size(dim3 threads);
  void begin_block(const Grid& grid, int64_t block);
  Fiber& take_turns(Fiber& self);
  void run_thread(int number, Fiber& on);
  int next_thread();
  Fiber& fiber_of(int thread);
  void wait(const char* what, Site site);
  void abandon(const std::string& why);
  void become(int thread);
  std::string deadlock() const;

  int count() const { return static_cast<int>(threads_.size()); }
  Thread& thread(int number) { return threads_[number]; }
  Warp& warp_of(int number) { return warps_[number / 32]; }
  const Warp& warp_of(int number) const { return warps_[number / 32]; }

  const Grid* grid_ = nullptr;
  const Body* body_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  int current_ = 0;   // the thread that runs, or ran last
  int returned_ = 0;  // threads that are done
  struct {
    int arrived = 0, sum = 0, result = 0;
    int first = 0;  // the thread that came first
  } barrier_;
  std::unique_ptr<std::byte[]> shared_;
  size_t shared_bytes_ = 0;
  std::string error_;  // why the thread block was abandoned
  bool abandoned_ = false, quit_ = false;
  SignalStack signal_stack_;
  Fiber main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
};

}  // namespace fade::emulate
