// Device::cuda on a GPU: memory, copies and waiting.
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "engine/cuda/event.h"
#include "engine/device.h"
#include "engine/error.h"

namespace fade {
namespace {

// Nothing that is made here is ever destroyed: tensors with static storage may be released after any static
// object, those of this file too.

// Page-locked host memory, which the device can access.
void* make_pinned(size_t bytes) {
  void* memory = nullptr;
  check_cuda(cudaMallocHost(&memory, bytes), "page-lock memory");
  return memory;
}

// Small copies to the device return at once: they go through slots of page-locked memory, used in turn. (A
// copy from ordinary memory may wait for the device.)
class Staging {
 public:
  static constexpr size_t kBytes = 256 * 1024;

  /// Queues the copy. `bytes` is at most kBytes.
  void copy(void* dst, const void* src, size_t bytes) {
    Slot& slot = slots_[next_++ % slots_.size()];
    // Waits only when the copies of all slots are still queued; never for an event that was not recorded.
    check_cuda(cudaEventSynchronize(slot.copied), "wait for an event");
    std::memcpy(slot.memory, src, bytes);
    check_cuda(cudaMemcpyAsync(dst, slot.memory, bytes, cudaMemcpyHostToDevice, cuda_stream()),
               "copy to the device");
    check_cuda(cudaEventRecord(slot.copied, cuda_stream()), "record an event");
  }

 private:
  struct Slot {
    void* memory = make_pinned(kBytes);
    cudaEvent_t copied = make_event();
  };
  std::array<Slot, 16> slots_;
  size_t next_ = 0;
};

struct DeviceState {
  Staging staging;
  IndexError* index_error = new (make_pinned(sizeof(IndexError))) IndexError{};
};

DeviceState& state() {
  static DeviceState* const s = new DeviceState;
  return *s;
}

void synchronize() {
  check_cuda(cudaStreamSynchronize(cuda_stream()), "wait for the device");
  IndexError& error = *state().index_error;
  if (!error.set) return;
  refuse_index(std::exchange(error, {}).found);
}

void copy(void* dst, Device dst_device, const void* src, Device src_device, size_t bytes) {
  if (bytes == 0) return;
  if (dst_device == Device::cpu) {
    check_cuda(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, cuda_stream()),
               "copy from the device");
    synchronize();
  } else if (src_device == Device::cuda) {
    check_cuda(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, cuda_stream()),
               "copy on the device");
  } else if (bytes <= Staging::kBytes) {
    state().staging.copy(dst, src, bytes);
  } else {
    check_cuda(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, cuda_stream()), "copy to the device");
  }
}

__global__ void no_work() {}

// The one that this process uses (engine/ranks/choose_gpu.h).
int number_of_gpu() {
  int number = 0;
  cudaGetDevice(&number);
  return number;
}

std::string version(int v) { return fmt::format("{}.{}", v / 1000, v % 1000 / 10); }

std::string missing() {
  int driver = 0, devices = 0;
  cudaDriverGetVersion(&driver);
  if (driver == 0)
    return "missing: no NVIDIA driver is loaded "
           "(install the driver and look at nvidia-smi, or use --device cpu)";
  if (const cudaError_t code = cudaGetDeviceCount(&devices); code == cudaErrorInsufficientDriver)
    return fmt::format(
        "missing: the NVIDIA driver is for CUDA {}, this build for CUDA {} (update the driver, "
        "or use --device cpu)",
        version(driver), version(CUDART_VERSION));
  else if (code != cudaSuccess || devices == 0)
    return fmt::format(
        "missing: no GPU is visible, {} (look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu)",
        cudaGetErrorString(code == cudaSuccess ? cudaErrorNoDevice : code));
  cudaDeviceProp gpu{};
  cudaFuncAttributes unused{};
  cudaGetDeviceProperties(&gpu, number_of_gpu());
  const cudaError_t code = cudaFuncGetAttributes(&unused, no_work);
  if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorInvalidDeviceFunction) {
    cudaGetLastError();
    return fmt::format(
        "missing: this build has no code for the {}, compute capability {}.{} (build with "
        "-DCMAKE_CUDA_ARCHITECTURES={}{}, or use --device cpu)",
        gpu.name, gpu.major, gpu.minor, gpu.major, gpu.minor);
  }
  if (code != cudaSuccess)
    return fmt::format("missing: the {} cannot be used, {} (look at nvidia-smi, or use --device cpu)",
                       gpu.name, cudaGetErrorString(code));
  return "";
}

// Null when there is not enough memory.
void* allocate(size_t bytes) {
  void* p = nullptr;
  const cudaError_t code = cudaMallocAsync(&p, bytes, cuda_stream());
  if (code == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // (clears it)
    return nullptr;
  }
  check_cuda(code, "allocate");
  return p;
}

// What was released comes back to the driver's pool only when the device has passed the release, and from
// there to the device, for other sizes, when the pool is trimmed.
void reclaim() {
  synchronize();
  cudaMemPool_t pool;
  check_cuda(cudaDeviceGetDefaultMemPool(&pool, number_of_gpu()), "find the memory pool");
  check_cuda(cudaMemPoolTrimTo(pool, 0), "trim the memory pool");
}

// Room for the driver. It loads a kernel when that is first launched, and cuBLAS has other kernels, and
// workspace, for other shapes: launches that would fail if tensors had all of the memory. The number is an
// estimate, no measurement.
constexpr size_t kReserve = size_t{512} << 20;

constexpr DeviceBackend kCuda = {
    .missing = missing,
    .allocate = allocate,
    .release = [](void* p, size_t) { check_cuda(cudaFreeAsync(p, cuda_stream()), "release"); },
    .reclaim = reclaim,
    .free_bytes =
        [] {
          size_t free = 0, total = 0;
          cudaMemGetInfo(&free, &total);
          return free;
        },
    .reserve = kReserve,
    .copy = copy,
    .zero = [](void* p, size_t bytes) { check_cuda(cudaMemsetAsync(p, 0, bytes, cuda_stream()), "zero"); },
    .synchronize = synchronize,
};

[[maybe_unused]] const bool registered = register_backend(Device::cuda, kCuda);

// Errors of kernels are reported by the next call, whatever it is.
const char* remedy(cudaError_t code) {
  switch (code) {
    case cudaErrorInvalidConfiguration:
    case cudaErrorInvalidValue:
      return "the sizes may exceed the device's limits";
    case cudaErrorLaunchOutOfResources:
      return "fewer threads per thread block need fewer registers";
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
      return "a kernel launched before it failed: run again under compute-sanitizer, "
             "or with CUDA_LAUNCH_BLOCKING=1";
    default:
      return "look at nvidia-smi";
  }
}

}  // namespace

IndexCheck index_check(const char* op, const char* what, int64_t lowest) {
  return {state().index_error, op, what, lowest};
}

void check_cuda(cudaError_t code, const char* what) {
  if (code == cudaSuccess) return;
  fail("cuda: {}: {} ({})", what, cudaGetErrorString(code), remedy(code));
}

namespace cuda_detail {

void allow_shared_bytes(const char* name, const void* kernel, size_t bytes) {
  constexpr size_t kAlways = 48 * 1024;
  if (bytes <= kAlways) return;
  const cudaError_t code =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
  if (code != cudaSuccess)
    fail("cuda: {}: {} bytes of shared memory per thread block: {}", name, bytes, cudaGetErrorString(code));
}

void check_launch(const char* name, dim3 grid, dim3 block, size_t shared_bytes) {
  const cudaError_t code = cudaGetLastError();
  if (code != cudaSuccess)
    fail("cuda: kernel {}, grid {}x{}x{}, thread block {}x{}x{}, {} bytes of shared memory: {} ({})", name,
         grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes, cudaGetErrorString(code),
         remedy(code));
}

}  // namespace cuda_detail
}  // namespace fade
