// The transport of Open MPI. Every operation is started without waiting and then asked after, so that the thread can look
// for the end of the job in between, and leaves its core to others while it waits.
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "engine/error.h"
#include "engine/ranks/transport.h"

namespace fade {
namespace {

/// Counts of MPI are int.
constexpr size_t kPiece = size_t{1} << 30;

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail("MPI: {}: {}", what, std::string(text, static_cast<size_t>(length)));
}

class Mpi : public Transport {
 public:
  explicit Mpi(bool (*ended)(int* code)) : ended_(ended) {
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &count_);
  }
  ~Mpi() override { MPI_Finalize(); }

  int rank() const override { return rank_; }
  int count() const override { return count_; }

  void all_gather(const void* mine, void* all, size_t bytes) override {
    in_pieces(bytes, [&](size_t begin, int size) {
      if (bytes == static_cast<size_t>(size))
        return wait("MPI_Iallgather", [&](MPI_Request* r) {
          return MPI_Iallgather(mine, size, MPI_BYTE, all, size, MPI_BYTE, MPI_COMM_WORLD, r);
        });
      for (int root = 0; root < count_; ++root) {
        auto* const to = static_cast<std::byte*>(all) + static_cast<size_t>(root) * bytes + begin;
        if (root == rank_)
          std::memcpy(to, static_cast<const std::byte*>(mine) + begin, static_cast<size_t>(size));
        wait("MPI_Ibcast",
             [&](MPI_Request* r) { return MPI_Ibcast(to, size, MPI_BYTE, root, MPI_COMM_WORLD, r); });
      }
    });
  }
  void all_to_all(const void* to, void* from, size_t bytes) override {
    if (bytes > kPiece) fail("MPI: {} bytes for each rank, at most {} (use smaller buckets)", bytes, kPiece);
    const int size = static_cast<int>(bytes);
    wait("MPI_Ialltoall", [&](MPI_Request* r) {
      return MPI_Ialltoall(to, size, MPI_BYTE, from, size, MPI_BYTE, MPI_COMM_WORLD, r);
    });
  }
  void broadcast(void* data, size_t bytes) override {
    in_pieces(bytes, [&](size_t begin, int size) {
      wait("MPI_Ibcast", [&](MPI_Request* r) {
        return MPI_Ibcast(static_cast<std::byte*>(data) + begin, size, MPI_BYTE, 0, MPI_COMM_WORLD, r);
      });
    });
  }
  void send(const void* data, size_t bytes, int to) override {
    in_pieces(bytes, [&](size_t begin, int size) {
      wait("MPI_Isend", [&](MPI_Request* r) {
        return MPI_Isend(static_cast<const std::byte*>(data) + begin, size, MPI_BYTE, to, 0, MPI_COMM_WORLD,
                         r);
      });
    });
  }
  void receive(void* data, size_t bytes, int from) override {
    in_pieces(bytes, [&](size_t begin, int size) {
      wait("MPI_Irecv", [&](MPI_Request* r) {
        return MPI_Irecv(static_cast<std::byte*>(data) + begin, size, MPI_BYTE, from, 0, MPI_COMM_WORLD, r);
      });
    });
  }
  [[noreturn]] void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  template <class F>
  static void in_pieces(size_t bytes, const F& f) {
    for (size_t begin = 0; begin < bytes; begin += kPiece)
      f(begin, static_cast<int>(std::min(kPiece, bytes - begin)));
  }

  // Ranks wait for each other for microseconds within a step, and for minutes while one of them evaluates or saves.
  template <class Start>
  void wait(const char* what, const Start& start) {
    MPI_Request request;
    check(start(&request), what);
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::microseconds kActive(200), kNap(50);
    const auto active_until = Clock::now() + kActive;
    for (int done = 0;;) {
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), what);
      if (done) return;
      if (int code = 0; ended_(&code)) abort(code);
      if (Clock::now() < active_until)
        ::sched_yield();
      else
        std::this_thread::sleep_for(kNap);
    }
  }

  bool (*ended_)(int* code);
  int rank_ = 0, count_ = 1;
};

// As mpirun says it; as srun does, whose step has a PMIx or PMI server for Open MPI.
int launched() {
  if (const int ranks = number_in_environment("OMPI_COMM_WORLD_SIZE")) return ranks;
  if (!std::getenv("PMIX_RANK") && !std::getenv("PMI_RANK")) return 1;
  for (const char* tasks : {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"})
    if (const int ranks = number_in_environment(tasks)) return ranks;
  return 1;
}

std::unique_ptr<Transport> connect(bool (*ended)(int* code)) { return std::make_unique<Mpi>(ended); }

[[maybe_unused]] const bool registered = register_transport({launched, connect});

}  // namespace
}  // namespace fade
