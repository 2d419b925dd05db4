// Communicator, by NCCL.
#include <nccl.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/cuda/communicator.h"
#include "engine/cuda/cuda.h"
#include "engine/error.h"
#include "engine/held_signals.h"

namespace fade {
namespace {

// NCCL's text names the remedy.
std::string text_of(ncclResult_t code, ncclComm_t communicator) {
  return fmt::format("{}: {}", ncclGetErrorString(code), ncclGetLastError(communicator));
}

void check(ncclResult_t code, const char* what, ncclComm_t communicator = nullptr) {
  if (code != ncclSuccess) fail("NCCL: {}: {}", what, text_of(code, communicator));
}

// One in a process. It is never destroyed: NCCL does that with all ranks together, and a rank that ends with an error may
// be the only one to do so.
ncclComm_t connect(const Ranks& ranks) {
  static ncclComm_t known = nullptr;
  if (known) return known;
  ncclUniqueId id{};
  if (ranks.leads()) check(ncclGetUniqueId(&id), "begin a communicator");
  id = ranks.broadcast(id);
  ncclComm_t communicator = nullptr;
  check(ncclCommInitRank(&communicator, ranks.count(), id, ranks.rank()), "connect the GPUs");
  return known = communicator;
}

}  // namespace

struct Communicator::State {
  explicit State(const Ranks& ranks) : count(ranks.count()), communicator(connect(ranks)) {
    if (count == 1) return;
    const HeldSignals held;
    watch = std::jthread([this, &ranks](const std::stop_token& stop) { look_for_errors(ranks, stop); });
  }

  // A connection that breaks shows in no call: operations then never end. And the host may wait for one of them.
  void look_for_errors(const Ranks& ranks, const std::stop_token& stop) const {
    constexpr std::chrono::milliseconds kInterval(200);
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any stopped;
    while (!stop.stop_requested()) {
      stopped.wait_for(lock, stop, kInterval, [] { return false; });
      ncclResult_t code = ncclSuccess;
      ncclCommGetAsyncError(communicator, &code);
      if (code != ncclSuccess && code != ncclInProgress)
        ranks.abort("NCCL: sum over ranks: " + text_of(code, communicator));
    }
  }

  int count;
  ncclComm_t communicator;
  std::jthread watch;
};

Communicator::Communicator(const Ranks& ranks) : state_(std::make_unique<State>(ranks)) {}
Communicator::~Communicator() = default;

void Communicator::all_to_all(const void* to, void* from, size_t bytes) const {
  const ncclComm_t communicator = state_->communicator;
  constexpr const char* kWhat = "give each rank its slice";
  check(ncclGroupStart(), kWhat);
  for (int r = 0; r < state_->count; ++r) {
    const size_t at = static_cast<size_t>(r) * bytes;
    check(ncclSend(static_cast<const std::byte*>(to) + at, bytes, ncclUint8, r, communicator, cuda_stream()),
          kWhat, communicator);
    check(ncclRecv(static_cast<std::byte*>(from) + at, bytes, ncclUint8, r, communicator, cuda_stream()),
          kWhat, communicator);
  }
  check(ncclGroupEnd(), kWhat, communicator);
}

void Communicator::all_gather(const void* mine, void* all, size_t bytes) const {
  check(ncclAllGather(mine, all, bytes, ncclUint8, state_->communicator, cuda_stream()), "gather the sums",
        state_->communicator);
}

}  // namespace fade
