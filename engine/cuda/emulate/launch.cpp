#include <mutex>

#include "engine/cuda/emulate/block.h"
#include "engine/cuda/emulate/memory.h"
#include "engine/cuda/emulate/races.h"
#include "engine/cuda/emulate/report.h"
#include "engine/error.h"
#include "engine/parallel.h"

namespace fade::emulate {
namespace {

// Limits of real devices; for shared memory, of all devices from compute capability 8.0 on.
constexpr unsigned kMaxThreads = 1024, kMaxBlocksX = 0x7fffffff, kMaxBlocksYZ = 65535;
constexpr size_t kMaxShared = 99 * 1024;

void check(const Grid& g) {
  const dim3 b = g.blocks, t = g.threads;
  const uint64_t threads = uint64_t{t.x} * t.y * t.z;
  if (threads == 0 || threads > kMaxThreads || t.z > 64)
    fail("{}: thread blocks of {}x{}x{} threads (allowed: 1 to {}, along z 64)", g.name, t.x, t.y, t.z,
         kMaxThreads);
  if (b.x > kMaxBlocksX || b.y > kMaxBlocksYZ || b.z > kMaxBlocksYZ)
    fail("{}: a grid of {}x{}x{} thread blocks (allowed: {} along x, {} along y and z)", g.name, b.x, b.y,
         b.z, kMaxBlocksX, kMaxBlocksYZ);
  if (g.shared_bytes > kMaxShared)
    fail("{}: {} bytes of dynamic shared memory per thread block (allowed: {})", g.name, g.shared_bytes,
         kMaxShared);
}

}  // namespace

void run(const Grid& grid, const std::function<void()>& thread) {
  check(grid);
  report_crashes();
  const int64_t blocks = int64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
  const auto run_blocks = [&](int64_t begin, int64_t end) {
    const MemoryAccess access;
    for (int64_t i = begin; i < end; ++i) run_block(grid, thread, reverse_order() ? begin + end - 1 - i : i);
  };
#ifdef __SANITIZE_ADDRESS__
  run_blocks(0, blocks);  // static shared memory belongs to the process (types.h)
#else
  if constexpr (kRacecheck) {
    static std::mutex one_launch;
    const std::lock_guard guard(one_launch);
    races::begin_launch(grid);
    try {
      run_blocks(0, blocks);
    } catch (const Error&) {
      if (races::found().empty()) throw;  // else the race is the cause
    }
    if (const std::string race = races::found(); !race.empty()) throw Error(race);
    return;
  }
  constexpr int64_t kThreads = 2048;  // fewest threads worth a second core
  const int64_t of_block = int64_t{grid.threads.x} * grid.threads.y * grid.threads.z;
  parallel_for(blocks, std::max<int64_t>(1, kThreads / of_block), run_blocks);
#endif
}

}  // namespace fade::emulate
