#include "engine/ranks/summation.h"

#include <array>
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
      last_ = ranks_.post([values, slice](Transport& t) { sum(t, values, slice); });
    });
  }
  void finish() override { ranks_.wait(last_); }

 private:
  template <class T>
  static void sum(Transport& t, T* values, int64_t slice) {
    const size_t bytes = static_cast<size_t>(slice) * sizeof(T);
    std::vector<T> parts(static_cast<size_t>(slice * t.count()));
    t.all_to_all(values, parts.data(), bytes);
    for (int r = 1; r < t.count(); ++r) {
      const T* const part = parts.data() + r * slice;
      for (int64_t i = 0; i < slice; ++i) parts[static_cast<size_t>(i)] += part[i];
    }
    t.all_gather(parts.data(), values, bytes);
  }

  const Ranks& ranks_;
  uint64_t last_ = 0;
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
