// Owners of CUDA's handles.
#pragma once

#include <memory>
#include <type_traits>

#include "engine/cuda/cuda.h"

namespace fade {

template <auto destroy>
struct CudaDestroy {
  template <class T>
  void operator()(T* handle) const {
    destroy(handle);
  }
};

/// Owns a handle, which is a pointer: `destroy` releases it.
template <class Handle, auto destroy>
using CudaHandle = std::unique_ptr<std::remove_pointer_t<Handle>, CudaDestroy<destroy>>;

using CudaStream = CudaHandle<cudaStream_t, cudaStreamDestroy>;
using CudaEvent = CudaHandle<cudaEvent_t, cudaEventDestroy>;  ///< a point in a stream, to be waited for
using PinnedMemory =
    CudaHandle<void*, cudaFreeHost>;  ///< page-locked host memory, which the device can access

inline CudaStream make_stream() {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "create a stream");
  return CudaStream(stream);
}

inline CudaEvent make_event() {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "create an event");
  return CudaEvent(event);
}

inline PinnedMemory make_pinned(size_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMallocHost(&memory, bytes), "page-lock memory");
  return PinnedMemory(memory);
}

}  // namespace fade
