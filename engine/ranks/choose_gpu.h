// Which GPU a rank uses.
#pragma once

#include <string>

#include "engine/ranks/ranks.h"

namespace fade {

/// The GPUs that a process sees, numbered from 0.
struct VisibleGpus {
  int (*count)();              ///< 0 without a GPU or a driver
  void (*select)(int number);  ///< the one that device cuda uses; on the thread that will use it
  std::string (*name)();       ///< of that one: no other GPU has this name, on any machine
};

/// Makes them available. Called once, from a static initializer of device cuda.
bool register_gpus(const VisibleGpus& gpus);

/// Gives each rank a GPU of its own: that with the number of the rank among those of its host, or the only one that the rank
/// sees, as a scheduler may have divided them. Before anything asks for device cuda: what asks first takes GPU 0. Does nothing
/// where no rank sees a GPU. Throws InputError on all ranks where one sees fewer GPUs than its host has ranks, or where two of
/// them would use the same GPU.
void choose_gpu(const Ranks& ranks);

/// The same, of these.
void choose_gpu(const Ranks& ranks, const VisibleGpus& gpus);

}  // namespace fade
