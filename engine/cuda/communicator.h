// What connects the GPUs of several ranks: NCCL. (On the emulated device, what connects its ranks: Open MPI.)
#pragma once

#include <cstddef>
#include <memory>

#include "engine/ranks/ranks.h"

namespace fade {

/// Collective operations on memory of device cuda, as those of Transport. Every rank makes and calls the same ones in the same
/// order. They are launched as kernels are (SideStream): when a call returns, the operation may not have begun.
///
/// What one rank alone finds wrong ends the job: the others may wait for it.
class Communicator {
 public:
  /// Joins the ranks; each has chosen its GPU (engine/ranks/choose_gpu.h). Throws Error when they cannot be connected.
  explicit Communicator(const Ranks& ranks);
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  /// Gives `bytes` to each rank, those for rank 0 first; `from` receives what rank 0, 1, ... gave this one.
  void all_to_all(const void* to, void* from, size_t bytes) const;
  /// Every rank gives `bytes`; `all` receives those of rank 0, 1, ...
  void all_gather(const void* mine, void* all, size_t bytes) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fade
