#include "engine/ranks/summation.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "engine/dtype.h"
#include "engine/error.h"

namespace fade {
namespace {

/// On the CPU: the thread of communication does it all.
class HostSummation : public Summation {
 public:
  explicit HostSummation(const Ranks& ranks) : ranks_(ranks) {}

  void start(const Tensor& flat) override {
    dispatch_float(flat.dtype(), "the sum over ranks", [&]<class T>() {
      T* const values = flat.mutate<T>();
      const int64_t slice = flat.numel() / ranks_.count();
      last_ = ranks_.post([this, values, slice](Transport& t) { sum(t, values, slice); });
    });
  }
  void finish() override { ranks_.wait(last_); }

 private:
  template <class T>
  void sum(Transport& t, T* values, int64_t slice) {
    const size_t bytes = static_cast<size_t>(slice) * sizeof(T);
    parts_.resize(std::max(parts_.size(), bytes * static_cast<size_t>(t.count())));
    T* const sums = reinterpret_cast<T*>(parts_.data());
    t.all_to_all(values, sums, bytes);
    for (int r = 1; r < t.count(); ++r)
      for (int64_t i = 0; i < slice; ++i) sums[i] += sums[r * slice + i];
    t.all_gather(sums, values, bytes);
  }

  const Ranks& ranks_;
  uint64_t last_ = 0;
  std::vector<std::byte> parts_;  ///< of a slice, from all ranks; for the thread of communication
};

std::unique_ptr<Summation> of_host(const Ranks& ranks) {
  if (ranks.count() == 1) fail("the sum over ranks: there is one rank (nothing is to be summed)");
  return std::make_unique<HostSummation>(ranks);
}

std::array<MakeSummation, kDevices>& makers() {
  static std::array<MakeSummation, kDevices> all{of_host};
  return all;
}

}  // namespace

bool register_summation(Device device, MakeSummation make) {
  makers()[static_cast<size_t>(device)] = make;
  return true;
}

std::unique_ptr<Summation> make_summation(const Ranks& ranks, Device device) {
  const MakeSummation make = makers()[static_cast<size_t>(device)];
  if (!make)
    refuse(
        "device {}: this build of fade sums over ranks on the CPU only (build it with NCCL, or use --device cpu)",
        fade::name_of(device));
  return make(ranks);
}

}  // namespace fade
