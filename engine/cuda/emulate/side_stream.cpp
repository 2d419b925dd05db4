// SideStream on the emulated device, as late as CUDA allows: work is done at join().
#include "engine/cuda/side_stream.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/cuda/emulate/memory.h"
#include "engine/error.h"

namespace fade {
namespace {

constexpr std::byte kPoison{0xff};  // NaN in every float

/// A tensor that the stream uses. Until its work is done, the tensor holds poison.
class Taken {
 public:
  explicit Taken(const Tensor& x) : x_(x) {
    const emulate::MemoryAccess access;
    content_.assign(bytes(), bytes() + x.size_bytes());
    std::fill_n(bytes(), x.size_bytes(), kPoison);
  }
  bool is(const Tensor& x) const { return x_.data_bytes() == x.data_bytes(); }
  void give_back() const {
    const emulate::MemoryAccess access;
    if (!std::all_of(bytes(), bytes() + content_.size(), [](std::byte b) { return b == kPoison; }))
      fail("cuda (emulated): a tensor was written while a side stream used it (join the stream first)");
    std::memcpy(bytes(), content_.data(), content_.size());
  }

 private:
  std::byte* bytes() const { return static_cast<std::byte*>(const_cast<void*>(x_.data_bytes())); }

  Tensor x_;
  std::vector<std::byte> content_;
};

}  // namespace

struct SideStream::State {
  std::vector<Taken> taken;
  std::vector<std::function<void()>> works;
};

SideStream::SideStream() : state_(std::make_unique<State>()) {}
SideStream::~SideStream() = default;

void SideStream::run(const Tensor& x, std::function<void()> work) {
  if (std::ranges::none_of(state_->taken, [&](const Taken& t) { return t.is(x); }))
    state_->taken.emplace_back(x);
  state_->works.push_back(std::move(work));
}

void SideStream::join() {
  const State now = std::exchange(*state_, {});
  for (const Taken& t : now.taken) t.give_back();
  for (const std::function<void()>& work : now.works) work();
}

}  // namespace fade
