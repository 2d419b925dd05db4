#include "engine/ranks/ranks.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include "engine/error.h"
#include "engine/held_signals.h"
#include "engine/io/hash.h"
#include "engine/io/input.h"
#include "engine/io/standard_streams.h"
#include "engine/parallel.h"

namespace fade {
namespace {

/// Of the build, if it has one.
std::optional<TransportBackend>& transport() {
  static std::optional<TransportBackend> backend;
  return backend;
}

/// The exit code with which the job must end; none as long as it goes on.
constexpr int kGoesOn = -1;
std::atomic<int> ending{kGoesOn};

bool ended(int* code) {
  *code = ending;
  return *code != kGoesOn;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

// The cores that this process may run on, as text.
std::string own_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  ::sched_getaffinity(0, sizeof cores, &cores);
  return {reinterpret_cast<const char*>(&cores), sizeof cores};
}

std::string hash_of_program() {
  ContentHash hash;
  const std::string program = read_file("/proc/self/exe");
  hash.add(program.data(), program.size());
  return hash.digits();
}

std::string message_of(const std::exception& e) {
  const bool memory = dynamic_cast<const std::bad_alloc*>(&e) != nullptr;
  return memory ? "out of memory (use a smaller model or batch, or a machine with more)" : e.what();
}

}  // namespace

bool register_transport(const TransportBackend& backend) {
  transport() = backend;
  return true;
}

/// The thread that makes all calls of a transport.
class Ranks::Thread {
 public:
  explicit Thread(const TransportBackend& backend) {
    const HeldSignals held;  // they are for the thread that started this one
    thread_ = std::thread([this, &backend] {
      try {
        serve(backend);
      } catch (const std::exception& e) {
        const std::string rank = connected_ ? fmt::to_string(connected_->rank()) : "?";
        print_stderr("fade: rank {} on {}: {}", rank, host_name(), message_of(e));
        if (connected_) connected_->abort(1);
        std::_Exit(1);
      }
    });
  }
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  uint64_t post(Work work) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_all();
    return ++posted_;
  }
  void wait(uint64_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_ >= number; });
  }

 private:
  void serve(const TransportBackend& backend) {
    connected_ = backend.connect(ended);
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return finished_ || !queue_.empty(); });
      if (queue_.empty()) break;
      const Work work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      if (int code = 0; ended(&code)) connected_->abort(code);
      work(*connected_);
      lock.lock();
      ++done_;
      changed_.notify_all();
    }
    connected_.reset();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;
  uint64_t posted_ = 0, done_ = 0;
  bool finished_ = false;
  std::unique_ptr<Transport> connected_;  ///< made, used and ended by the thread
  std::thread thread_;
};

Ranks::Ranks() : hosts_{host_name()} {}

Ranks::Ranks(const TransportBackend& backend) : thread_(std::make_unique<Thread>(backend)) {
  run([this](Transport& t) {
    rank_ = t.rank();
    count_ = t.count();
  });
  hosts_ = gather(host_name());
  const auto of_this_host = [this](int rank) {
    return hosts_[static_cast<size_t>(rank)] == hosts_[static_cast<size_t>(rank_)];
  };
  local_count_ = 0;
  for (int r = 0; r < count_; ++r) {
    if (!of_this_host(r)) continue;
    if (r == rank_) local_rank_ = local_count_;
    ++local_count_;
  }
  const std::vector<std::string> cores = gather(own_cores());
  int sharing = 0;
  for (int r = 0; r < count_; ++r)
    sharing += of_this_host(r) && cores[static_cast<size_t>(r)] == cores[static_cast<size_t>(rank_)];
  share_cores(sharing);
}

Ranks::~Ranks() = default;

const Ranks& Ranks::alone() {
  static const Ranks one;
  return one;
}

std::string Ranks::name_of(int rank) const {
  return fmt::format("rank {} on {}", rank, hosts_[static_cast<size_t>(rank)]);
}

Share Ranks::share(int64_t total) const {
  const int64_t begin = rank_ * total / count_;
  return {begin, (rank_ + 1) * total / count_ - begin};
}

uint64_t Ranks::post(Work work) const { return thread_->post(std::move(work)); }
void Ranks::wait(uint64_t number) const { thread_->wait(number); }

// values[i] becomes with(.. with(of rank 0, of rank 1) .., of the last).
void Ranks::combine(std::span<double> values, double (*with)(double, double)) const {
  if (count_ == 1) return;
  std::vector<double> all(values.size() * static_cast<size_t>(count_));
  run([&](Transport& t) { t.all_gather(values.data(), all.data(), values.size_bytes()); });
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = all[i];
    for (size_t k = i + values.size(); k < all.size(); k += values.size())
      values[i] = with(values[i], all[k]);
  }
}

void Ranks::sum(std::span<double> values) const {
  combine(values, [](double a, double b) { return a + b; });
}

double Ranks::sum(double value) const {
  sum(std::span(&value, 1));
  return value;
}

void Ranks::max(std::span<double> values) const {
  combine(values, [](double a, double b) { return std::max(a, b); });
}

bool Ranks::any(bool value) const { return sum(value ? 1.0 : 0.0) > 0; }

std::vector<std::string> Ranks::gather(const std::string& text) const {
  if (count_ == 1) return {text};
  std::vector<uint64_t> sizes(static_cast<size_t>(count_));
  const uint64_t own = text.size();
  run([&](Transport& t) { t.all_gather(&own, sizes.data(), sizeof own); });
  const uint64_t longest = std::ranges::max(sizes);
  std::string padded = text, all(longest * sizes.size(), '\0');
  padded.resize(longest);
  run([&](Transport& t) { t.all_gather(padded.data(), all.data(), longest); });
  std::vector<std::string> texts;
  for (size_t r = 0; r < sizes.size(); ++r) texts.push_back(all.substr(r * longest, sizes[r]));
  return texts;
}

void Ranks::broadcast(std::span<std::byte> bytes) const {
  if (count_ > 1) run([&](Transport& t) { t.broadcast(bytes.data(), bytes.size()); });
}

std::string Ranks::broadcast(const std::string& text) const {
  std::string received(broadcast(static_cast<uint64_t>(text.size())), '\0');
  if (leads()) received = text;
  broadcast(std::as_writable_bytes(std::span(received)));
  return received;
}

void Ranks::send(std::span<const std::byte> bytes, int to) const {
  run([&](Transport& t) { t.send(bytes.data(), bytes.size(), to); });
}

void Ranks::receive(std::span<std::byte> bytes, int from) const {
  run([&](Transport& t) { t.receive(bytes.data(), bytes.size(), from); });
}

void Ranks::together(const std::function<void()>& work) const {
  if (count_ == 1) return work();
  others_know_ = false;
  enum Failure : char { kInput = 'i', kOther = 'o' };
  std::string failure;  // its kind, and the message
  std::exception_ptr own;
  try {
    work();
  } catch (const std::exception& e) {
    if (dynamic_cast<const Error*>(&e)) own = std::current_exception();
    failure = std::string(1, dynamic_cast<const InputError*>(&e) ? kInput : kOther) + message_of(e);
  }
  if (!any(!failure.empty())) return;
  const std::vector<std::string> all = gather(failure);
  const auto first = std::ranges::find_if(all, [](const std::string& text) { return !text.empty(); });
  const bool of_all = std::ranges::all_of(all, [&](const std::string& text) { return text == *first; });
  others_know();
  if (of_all && own) std::rethrow_exception(own);
  const std::string message =
      (of_all ? "" : name_of(static_cast<int>(first - all.begin())) + ": ") + first->substr(1);
  if (first->front() == kInput) throw InputError(message);
  throw Error(message);
}

void Ranks::require_same(const std::string& what, const std::string& value, const std::string& remedy) const {
  const std::vector<std::string> all = gather(value);
  for (int r = 0; r < count_; ++r) {
    if (all[static_cast<size_t>(r)] == all[0]) continue;
    others_know();
    refuse("{}: {} on {}, {} on {} ({})", what, all[0], name_of(0), all[static_cast<size_t>(r)], name_of(r),
           remedy);
  }
}

void Ranks::abort(const std::exception& error) const {
  abort(message_of(error), dynamic_cast<const InputError*>(&error) ? 2 : 1);
}

void Ranks::abort(const std::string& message, int code) const {
  print_stderr("fade: {}: {}", name_of(rank_), message);
  ending = code;
  post([code](Transport& t) { t.abort(code); });
  std::this_thread::sleep_for(std::chrono::seconds(10));  // the thread of communication ends the process
  std::_Exit(code);
}

void run_ranks(const std::function<void(const Ranks&)>& program) {
  const std::optional<TransportBackend>& backend = transport();
  if (!backend) {
    const int ranks = number_in_environment("OMPI_COMM_WORLD_SIZE");
    if (ranks <= 1) return program(Ranks::alone());
    // Every rank would train for itself, and all would write to one run.
    if (number_in_environment("OMPI_COMM_WORLD_RANK") > 0) return;  // rank 0 says it
    refuse(
        "started as one of {} ranks, but this build of fade has no MPI (install Open MPI and build with -DFADE_MPI=on)",
        ranks);
  }
  if (backend->launched() <= 1) return program(Ranks::alone());
  const Ranks ranks(*backend);
  try {
    ranks.require_same("the program", "hash " + hash_of_program(), "start the same build of fade everywhere");
    program(ranks);
  } catch (const std::exception& e) {
    if (!ranks.others_know_) ranks.abort(e);
    if (ranks.leads()) throw;
  }
}

}  // namespace fade
