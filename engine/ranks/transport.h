// What connects the ranks of a job: Open MPI (mpi.cpp), where it is built in.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace fade {

/// Collective operations on host memory. Every rank calls the same ones in the same order, all from one thread, which also
/// made the transport. Each returns when this rank's part is done. A rank that has died ends the job.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual int rank() const = 0;   ///< from 0
  virtual int count() const = 0;  ///< of ranks

  /// Every rank gives `bytes`; `all` receives those of rank 0, 1, ...
  virtual void all_gather(const void* mine, void* all, size_t bytes) = 0;
  /// Gives `bytes` to each rank, those for rank 0 first; `from` receives what rank 0, 1, ... gave this one.
  virtual void all_to_all(const void* to, void* from, size_t bytes) = 0;
  /// `data` of all ranks becomes that of rank 0.
  virtual void broadcast(void* data, size_t bytes) = 0;
  /// To another rank, which receives it.
  virtual void send(const void* data, size_t bytes, int to) = 0;
  /// What another rank sends.
  virtual void receive(void* data, size_t bytes, int from) = 0;
  /// Ends all processes of the job, this one with `code`.
  [[noreturn]] virtual void abort(int code) = 0;
};

/// The number in an environment variable; 0 without one.
inline int number_in_environment(const char* name) {
  const char* const text = std::getenv(name);
  return text ? std::atoi(text) : 0;
}

/// What a build with a transport registers.
struct TransportBackend {
  /// How many ranks the program was started as, as its environment says; 1 without a launcher.
  int (*launched)();
  /// Joins the job. `ended` is asked while an operation waits: true abandons it, and ends the job with `code`.
  std::unique_ptr<Transport> (*connect)(bool (*ended)(int* code));
};

/// Makes the transport available. Called once, from a static initializer of the transport's own file.
bool register_transport(const TransportBackend& backend);

}  // namespace fade
