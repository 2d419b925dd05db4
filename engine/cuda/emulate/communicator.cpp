// Communicator on the emulated device: the ranks' transport, on its memory.
#include "engine/cuda/communicator.h"

#include <cstring>

#include "engine/cuda/emulate/memory.h"

namespace fade {

struct Communicator::State {
  const Ranks& ranks;

  template <class F>
  void run(const F& f) const {
    ranks.wait(ranks.post([&f](Transport& t) {
      const emulate::MemoryAccess access;
      f(t);
    }));
  }
  void copy(void* to, const void* from, size_t bytes) const {
    const emulate::MemoryAccess access;
    std::memcpy(to, from, bytes);
  }
};

Communicator::Communicator(const Ranks& ranks) : state_(new State{ranks}) {}
Communicator::~Communicator() = default;

void Communicator::all_to_all(const void* to, void* from, size_t bytes) const {
  if (state_->ranks.count() == 1) return state_->copy(from, to, bytes);
  state_->run([&](Transport& t) { t.all_to_all(to, from, bytes); });
}

void Communicator::all_gather(const void* mine, void* all, size_t bytes) const {
  if (state_->ranks.count() == 1) return state_->copy(all, mine, bytes);
  state_->run([&](Transport& t) { t.all_gather(mine, all, bytes); });
}

}  // namespace fade
