// Events of a GPU.
#pragma once

#include "engine/cuda/cuda.h"

namespace fade {

/// A new event: a point in a stream, to be waited for.
inline cudaEvent_t make_event() {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
  return event;
}

}  // namespace fade
