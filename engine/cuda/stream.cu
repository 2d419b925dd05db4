// The streams of a GPU. That of the operations is never destroyed: tensors with static storage may be
// released after any static object.
#include <utility>
#include <vector>

#include "engine/cuda/event.h"
#include "engine/cuda/side_stream.h"

namespace fade {
namespace {

cudaStream_t make_stream(int priority) {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, priority), "create a stream");
  return stream;
}

// Where work is launched: within SideStream::run, on that stream.
cudaStream_t& current() {
  static cudaStream_t stream = make_stream(0);
  return stream;
}

class Launching {
 public:
  explicit Launching(cudaStream_t stream) : before_(std::exchange(current(), stream)) {}
  ~Launching() { current() = before_; }

 private:
  cudaStream_t before_;
};

// Thread blocks of operations fill the GPU; those of the side stream are taken first.
int highest_priority() {
  int lowest = 0, highest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&lowest, &highest), "find the priorities of streams");
  return highest;
}

}  // namespace

cudaStream_t cuda_stream() { return current(); }

struct SideStream::State {
  cudaStream_t stream = make_stream(highest_priority());
  cudaEvent_t event = make_event();
  std::vector<Tensor> in_use;

  // What follows on `later` begins after what is on `earlier`.
  void order(cudaStream_t earlier, cudaStream_t later) const {
    check_cuda(cudaEventRecord(event, earlier), "record an event");
    check_cuda(cudaStreamWaitEvent(later, event), "order streams");
  }
};

SideStream::SideStream() : state_(std::make_unique<State>()) {}

SideStream::~SideStream() {
  cudaEventRecord(state_->event, state_->stream);  // errors are for whoever uses the device next
  cudaStreamWaitEvent(cuda_stream(), state_->event);
  cudaEventDestroy(state_->event);
  cudaStreamDestroy(state_->stream);
}

void SideStream::run(const Tensor& x, std::function<void()> work) {
  state_->order(cuda_stream(), state_->stream);
  state_->in_use.push_back(x);
  const Launching here(state_->stream);
  work();
}

void SideStream::join() {
  state_->order(state_->stream, cuda_stream());
  state_->in_use.clear();
}

}  // namespace fade
