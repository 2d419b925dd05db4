// The memory pool on a device that only counts: the calls that it makes, and what it
// takes in a long training run.
#include "engine/memory_pool.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <numbers>
#include <utility>

#include "engine/rng.h"
#include "tests/engine/recorded_step.h"

namespace fade::test {
namespace {

constexpr size_t kMiB = size_t{1} << 20, kGiB = kMiB << 10;

// Steps of a run. (With AddressSanitizer, 20,000 take a minute.)
#ifdef __SANITIZE_ADDRESS__
constexpr int kLongRun = 500, kRun = 500;
#else
constexpr int kLongRun = 20000, kRun = 2000;
#endif

// A model of a GPU's memory as its driver hands it out: large blocks in pages of 2 MiB, and what is released
// is not free before reclaim. No memory lies at the addresses. One at a time.
class CountingDevice {
 public:
  explicit CountingDevice(size_t bytes) : all_(bytes), free_(bytes) { device = this; }
  ~CountingDevice() { device = nullptr; }
  CountingDevice(const CountingDevice&) = delete;
  CountingDevice& operator=(const CountingDevice&) = delete;

  static DeviceBackend backend(size_t reserve = 0) {
    DeviceBackend b{};
    b.allocate = [](size_t bytes) { return device->allocate(size(bytes)); };
    b.release = [](void*, size_t bytes) { device->release(size(bytes)); };
    b.reclaim = [] { device->reclaim(); };
    b.free_bytes = [] { return device->free_; };
    b.reserve = reserve;
    return b;
  }
  size_t taken() const { return all_ - free_; }  // with what was released since the last reclaim
  size_t most() const { return most_; }          // taken at a time
  int calls() const { return calls_; }           // that allocate, release or reclaim
  int waits() const { return waits_; }           // calls of reclaim

 private:
  static constexpr size_t kPage = 2 * kMiB;
  static size_t size(size_t bytes) { return bytes < kMiB ? bytes : (bytes + kPage - 1) / kPage * kPage; }

  void* allocate(size_t bytes) {
    ++calls_;
    if (bytes > free_) return nullptr;
    free_ -= bytes;
    most_ = std::max(most_, taken());
    const uintptr_t p = next_;
    next_ += (bytes / kPage + 2) * kPage;
    return reinterpret_cast<void*>(p);
  }
  void release(size_t bytes) {
    ++calls_;
    released_ += bytes;
  }
  void reclaim() {
    ++calls_;
    ++waits_;
    free_ += std::exchange(released_, 0);
  }

  static inline CountingDevice* device = nullptr;
  const size_t all_;
  size_t free_, released_ = 0, most_ = 0;
  uintptr_t next_ = uintptr_t{1} << 40;
  int calls_ = 0, waits_ = 0;
};

const RecordedStep& step_of_12_layers() {
  static const RecordedStep step = record_step(64);
  return step;
}

// The allocations of a training run of the 12-layer model with 64 streams.
class TrainingRun {
 public:
  explicit TrainingRun(MemoryPool& pool) : pool_(pool) {
    for (const double bytes : recorded_.permanent) allocate(bytes);
  }
  /// rows(l): those in the memory of layer l, per stream. False when the pool is out of memory.
  template <class Rows>
  bool step(const Rows& rows) {
    for (const auto& [kind, i] : recorded_.events)
      if (kind == RecordedEvent::allocate) {
        const RecordedAllocation& a = recorded_.allocations[i];
        now_[i] = allocate(a.fixed + a.per_row * rows(a.layer));
        if (!now_[i].p) return false;
      } else {
        release(kind == RecordedEvent::release ? now_[i] : before_[i]);
      }
    std::swap(now_, before_);
    return true;
  }
  size_t peak() const { return peak_; }  // bytes that were requested and not released, at most

 private:
  struct Block {
    void* p = nullptr;
    size_t bytes = 0;
  };
  Block allocate(double size) {
    const auto bytes = static_cast<size_t>(size);
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    return {pool_.allocate(bytes), bytes};
  }
  void release(Block& block) {
    if (!block.p) return;  // of the step before the first
    pool_.release(block.p, block.bytes);
    live_ -= std::exchange(block, {}).bytes;
  }

  MemoryPool& pool_;
  const RecordedStep& recorded_ = step_of_12_layers();
  std::vector<Block> before_ = std::vector<Block>(recorded_.allocations.size()), now_ = before_;
  size_t live_ = 0, peak_ = 0;
};

// Rows of a layer over a run: from 512 to 4608 per stream and back, up to a few percent more or less.
class Growth {
 public:
  explicit Growth(int steps) : steps_(steps) {}
  void advance() {
    for (size_t l = 0; l < kRecordedLayers; ++l)
      noise_[l] = 0.99 * noise_[l] + 0.02 * (uniform_f64({1, l}, static_cast<uint64_t>(step_)) - 0.5);
    ++step_;
  }
  double operator()(size_t l) const {
    const double s = std::sin(std::numbers::pi * step_ / steps_);
    return (512 + 4096 * s * s) * (1 + noise_[l]);
  }

 private:
  int steps_, step_ = 0;
  double noise_[kRecordedLayers] = {};
};

BOOST_AUTO_TEST_SUITE(memory_pool)

// The peaks that `fade bench` reports in f32 on a GPU (docs/performance_gpu.md), where a step's context is the memory
// and the block of 512.
BOOST_AUTO_TEST_CASE(the_recorded_step_is_that_of_the_model) {
  constexpr struct {
    double rows, peak;  // GiB
  } measured[] = {{1024, 12.6}, {2048, 17.5}, {4096, 27.6}};
  for (const auto& m : measured) {
    CountingDevice device(80 * kGiB);
    MemoryPool pool(CountingDevice::backend());
    TrainingRun run(pool);
    for (int t = 0; t < 2; ++t) BOOST_REQUIRE(run.step([&](size_t) { return m.rows - 512; }));
    BOOST_TEST(static_cast<double>(run.peak()) / kGiB == m.peak, boost::test_tools::tolerance(0.03));
  }
}

// At every step, the most that was ever taken from the device is compared with the most bytes of tensors that
// were ever live.
BOOST_AUTO_TEST_CASE(little_is_kept_as_memory_grows_and_shrinks) {
  struct Scenario {
    const char* name;
    int steps;
    double (*share)(size_t l);  // of the rows that Growth gives a layer
  };
  constexpr Scenario scenarios[] = {
      {"layers alike", kLongRun, [](size_t) { return 1.; }},
      {"higher layers remember more", kRun, [](size_t l) { return 0.3 + 0.7 * static_cast<double>(l) / 11; }},
      {"some layers remember", kRun, [](size_t l) { return l % 3 == 0 ? 1 : 0.15; }}};
  for (const Scenario& s : scenarios) {
    CountingDevice device(80 * kGiB);
    MemoryPool pool(CountingDevice::backend());
    TrainingRun run(pool);
    Growth rows(s.steps);
    double worst = 0;
    for (int t = 0; t < s.steps; ++t, rows.advance()) {
      BOOST_REQUIRE(run.step([&](size_t l) { return rows(l) * s.share(l); }));
      worst = std::max(worst, static_cast<double>(device.most()) / static_cast<double>(run.peak()));
    }
    BOOST_TEST_MESSAGE(s.name << ": at most " << worst << " times what was live, up to "
                              << static_cast<double>(run.peak()) / kGiB << " GiB; " << device.waits()
                              << " waits for the device");
    BOOST_TEST(worst <= 1.15, s.name);
    BOOST_TEST(device.waits() <= 100, s.name);

    for (int t = 0; t < 3; ++t) BOOST_REQUIRE(run.step([](size_t) { return 2000; }));
    const int calls = device.calls();
    for (int t = 0; t < 10; ++t) BOOST_REQUIRE(run.step([](size_t) { return 2000; }));
    BOOST_TEST(device.calls() == calls, s.name);  // the sizes are those of the step before
  }
}

// The device has little more than the run needs.
BOOST_AUTO_TEST_CASE(a_run_that_fits_is_not_out_of_memory) {
  constexpr size_t kReserve = kGiB / 2;
  CountingDevice device(39 * kGiB);
  MemoryPool pool(CountingDevice::backend(kReserve));
  TrainingRun run(pool);
  Growth rows(kRun);
  for (int t = 0; t < kRun; ++t, rows.advance()) BOOST_REQUIRE(run.step(rows));
  BOOST_TEST(run.peak() > 32 * kGiB);
  BOOST_TEST(device.most() <= 39 * kGiB - kReserve);
}

// What is kept for small tensors is given back, and waited for, before a large one is out of memory; and the
// other way round.
BOOST_AUTO_TEST_CASE(kept_memory_is_given_back_before_the_device_is_out_of_memory) {
  constexpr size_t kSmall = kMiB / 2;
  CountingDevice device(100 * kMiB);
  MemoryPool pool(CountingDevice::backend());
  const auto fill = [&](size_t bytes) {
    std::vector<void*> blocks;
    while (void* p = pool.allocate(bytes)) blocks.push_back(p);
    for (void* p : blocks) pool.release(p, bytes);
    return blocks.size() * bytes;
  };
  for (int round = 0; round < 3; ++round) {
    BOOST_TEST(fill(kSmall) == 100 * kMiB);
    void* p = pool.allocate(90 * kMiB);
    BOOST_TEST(p != nullptr);
    pool.release(p, 90 * kMiB);
  }
  BOOST_TEST(fill(10 * kMiB - 4096) >= 80 * kMiB);
  pool.trim();
  BOOST_TEST(device.taken() == 0u);
  BOOST_TEST(pool.taken() == 0u);
}

BOOST_AUTO_TEST_CASE(large_allocations_leave_the_reserve) {
  CountingDevice device(1000 * kMiB);
  MemoryPool pool(CountingDevice::backend(100 * kMiB));
  BOOST_TEST(pool.allocate(901 * kMiB) == nullptr);
  void* p = pool.allocate(600 * kMiB);
  BOOST_TEST(p != nullptr);
  BOOST_TEST(pool.allocate(350 * kMiB) == nullptr);
  pool.release(p, 600 * kMiB);
  BOOST_TEST(pool.allocate(850 * kMiB) != nullptr);
  BOOST_TEST(pool.allocate(1000) != nullptr);
}

// Random sizes around the limit between small and large, random lifetimes.
BOOST_AUTO_TEST_CASE(allocations_do_not_overlap) {
  CountingDevice device(kGiB);
  MemoryPool pool(CountingDevice::backend());
  std::map<uintptr_t, size_t> live;  // by address: bytes
  uint64_t drawn = 0;
  const auto random = [&](size_t below) {
    return static_cast<size_t>(uniform_f64({1, 2}, drawn++) * static_cast<double>(below));
  };
  for (int i = 0; i < 20000; ++i) {
    if (random(100) < 55 && live.size() < 200) {
      const size_t bytes = random(2) == 0 ? random(8 * kMiB) : random(2000);
      const auto p = reinterpret_cast<uintptr_t>(pool.allocate(bytes));
      BOOST_REQUIRE(p != 0u);
      BOOST_REQUIRE(p % 64 == 0u);
      const auto next = live.lower_bound(p);
      if (next != live.end()) BOOST_REQUIRE(p + MemoryPool::reserved(bytes) <= next->first);
      if (next != live.begin())
        BOOST_REQUIRE(std::prev(next)->first + MemoryPool::reserved(std::prev(next)->second) <= p);
      live[p] = bytes;
    } else if (!live.empty()) {
      const auto block = std::next(live.begin(), static_cast<int64_t>(random(live.size())));
      pool.release(reinterpret_cast<void*>(block->first), block->second);
      live.erase(block);
    }
  }
  for (const auto& [p, bytes] : live) pool.release(reinterpret_cast<void*>(p), bytes);
  pool.trim();
  BOOST_TEST(pool.taken() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace fade::test
