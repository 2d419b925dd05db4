// The ranks of a job: processes that train one model together, each on its own streams.
//
// Every rank makes the same calls in the same order. They run on a thread of their own, one after the other, so that sums of
// gradients go on while the caller computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/ranks/transport.h"

namespace fade {

/// A rank's part of something that is divided into consecutive parts.
struct Share {
  int64_t first = 0;  ///< of its own
  int64_t count = 0;  ///< how many
};

/// The ranks of a job, as one of them sees them. A program that was started alone is the one rank of its job: nothing is sent
/// then, and all calls return at once.
class Ranks {
 public:
  /// The one rank of a program that was started alone.
  static const Ranks& alone();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;
  ~Ranks();

  int rank() const { return rank_; }                ///< this one, from 0
  int count() const { return count_; }              ///< of ranks
  bool leads() const { return rank_ == 0; }         ///< true of rank 0
  int local_rank() const { return local_rank_; }    ///< this one's number among those of its host
  int local_count() const { return local_count_; }  ///< of ranks on this host
  /// "rank 2 on HOST", for messages.
  std::string name_of(int rank) const;

  /// This rank's part of `total` things: [r·total/N, (r + 1)·total/N).
  Share share(int64_t total) const;

  /// values[i] of all ranks becomes the sum over ranks, in their order: the same bits everywhere.
  void sum(std::span<double> values) const;
  double sum(double value) const;  ///< of one value
  /// values[i] of all ranks becomes the largest of them.
  void max(std::span<double> values) const;
  /// True on all ranks iff `value` is true on any.
  bool any(bool value) const;
  /// The texts of all ranks, on all ranks.
  std::vector<std::string> gather(const std::string& text) const;
  /// The bytes of rank 0 replace those of the others.
  void broadcast(std::span<std::byte> bytes) const;
  /// The text of rank 0, on all ranks.
  std::string broadcast(const std::string& text) const;
  /// The value of rank 0, on all ranks.
  template <class T>
  T broadcast(T value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    broadcast(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }
  /// To rank `to`, which calls receive with as many bytes.
  void send(std::span<const std::byte> bytes, int to) const;
  /// What rank `from` sends.
  void receive(std::span<std::byte> bytes, int from) const;

  /// Each rank does `work`. When that throws on any of them, it throws on all: their own Error where all have the same, else
  /// the first such rank's, as InputError or Error, which names the rank.
  void together(const std::function<void()>& work) const;
  /// Throws InputError on all ranks, naming `what` and the first rank whose `value` is not that of rank 0: "seed: 1 on rank 0
  /// on HOST, 2 on rank 3 on HOST (REMEDY)".
  void require_same(const std::string& what, const std::string& value, const std::string& remedy) const;

  /// Work for the thread of communication. Every rank posts the same, in the same order as its other calls.
  using Work = std::function<void(Transport&)>;
  /// Begins `work` after all that was posted before. Returns its number. An error in it ends the job.
  uint64_t post(Work work) const;
  /// Returns when the work of that number is done.
  void wait(uint64_t number) const;

  /// Ends the processes of all ranks, after a line on standard error. For errors that only this rank knows of.
  [[noreturn]] void abort(const std::exception& error) const;
  /// The same; this process ends with `code`.
  [[noreturn]] void abort(const std::string& message, int code = 1) const;
  /// Does `work`, in which the other ranks take part at the same time. An error of which they do not know (together,
  /// others_know) ends the job here: they would wait for this rank for ever.
  template <class F>
  auto take_part(const F& work) const {
    others_know_ = false;
    try {
      return work();
    } catch (const std::exception& e) {
      if (count_ > 1 && !others_know_) abort(e);
      throw;
    }
  }
  /// Tells take_part and run_ranks that the other ranks know of the error that this one ends with.
  void others_know() const { others_know_ = true; }

 private:
  friend void run_ranks(const std::function<void(const Ranks&)>& program);
  class Thread;
  Ranks();  ///< alone
  explicit Ranks(const TransportBackend& backend);
  void combine(std::span<double> values, double (*with)(double, double)) const;
  void run(Work work) const { wait(post(std::move(work))); }

  int rank_ = 0, count_ = 1, local_rank_ = 0, local_count_ = 1;
  std::vector<std::string> hosts_;  ///< of all ranks
  std::unique_ptr<Thread> thread_;  ///< of communication; none when alone
  mutable bool others_know_ = false;
};

/// Calls program(ranks) with the ranks that the program was started as: by mpirun or srun several, else Ranks::alone(), and
/// nothing is initialised. What it throws on rank 0 is thrown here; the other ranks are silent, and return. An error of which
/// not all ranks know (together, others_know) ends the job, with a line that names the rank. Threads of parallel loops are
/// divided between ranks that share their cores. Throws InputError in a job of several ranks when this build has no transport.
void run_ranks(const std::function<void(const Ranks&)>& program);

}  // namespace fade
