// `fade compress` and `fade decompress`.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/compress/archive.h"
#include "cli/compress/packers.h"
#include "engine/io/files.h"
#include "train/progress.h"

namespace fade {
namespace {

/// The arguments of both.
struct CodingArguments {
  CheckpointArguments checkpoint;
  std::string in, out;

  void declare(CLI::App& app, const char* in_is, const char* out_is);
  /// Throws InputError when `out` cannot be written, before the long work begins.
  void check_out() const;
};

struct Compress final : Command {
  CodingArguments arguments;
  int streams = 0;
  bool json = false;

  explicit Compress(CLI::App& app);
  void run() override;
};

struct Decompress final : Command {
  CodingArguments arguments;

  explicit Decompress(CLI::App& app);
  void run() override;
};

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string_view text_of(const std::vector<uint8_t>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A line on a terminal with the share that is done and the time that is left.
class Percentage {
 public:
  void operator()(double done) {
    const auto now = std::chrono::steady_clock::now();
    if (!::isatty(STDERR_FILENO) || now - shown_at_ < std::chrono::milliseconds(200)) return;
    shown_at_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    fmt::print(stderr, "\r{:.1f}%, {} left   ", 100 * done, format_duration(seconds / done * (1 - done)));
    shown_ = true;
  }
  ~Percentage() {
    if (shown_) fmt::print(stderr, "\r{:30}\r", "");
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), shown_at_ = start_;
  bool shown_ = false;
};

void CodingArguments::declare(CLI::App& app, const char* in_is, const char* out_is) {
  checkpoint.declare(app);
  app.add_option("IN", in, in_is)->required();
  app.add_option("OUT", out, out_is)->required();
}

void CodingArguments::check_out() const {
  const std::filesystem::path path(out);
  const std::filesystem::path directory = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    refuse("{}: a directory, but a file is to be written", out);
  if (::access(directory.c_str(), W_OK) != 0) refuse("{}: cannot be written: {}", out, std::strerror(errno));
}

Compress::Compress(CLI::App& app) {
  arguments.declare(app, "the file to compress", "the archive to write");
  app.add_option("--streams", streams, "parts read in parallel (default: one per 64 KiB, at most 16)")
      ->check(CLI::Range(1, kMostStreams));
  app.add_flag("--json", json, "print one JSON object");
}

void Compress::run() {
  arguments.check_out();
  const std::string bytes = read_file(arguments.in);
  const auto text = bytes_of(bytes);
  const LoadedModel loaded = arguments.checkpoint.load();
  const int count = streams ? streams : default_streams(text.size());
  Percentage percentage;
  const std::vector<uint8_t> archive =
      compress(*loaded.model, text, arguments.in, count, std::ref(percentage));
  write_file_atomically(arguments.out, text_of(archive));

  const auto bits = [&](size_t size) {
    return text.empty() ? 0 : 8 * static_cast<double>(size) / static_cast<double>(text.size());
  };
  const std::array<std::pair<const char*, int64_t>, 3> others{
      {{"gzip -9", gzip_size(text)}, {"xz -9", xz_size(text)}, {"zstd -19", zstd_size(text)}}};
  if (json) {
    nlohmann::ordered_json line = {{"bytes", text.size()},
                                   {"archive_bytes", archive.size()},
                                   {"bits_per_byte", bits(archive.size())},
                                   {"streams", count}};
    for (const auto& [name, size] : others) line["others"][name] = size;
    fmt::print("{}\n", line.dump());
    return;
  }
  fmt::print("{}: {} bytes in {}: {:.4f} bits per byte, {} streams\n", arguments.out, archive.size(),
             bytes.size(), bits(archive.size()), count);
  for (const auto& [name, size] : others)
    fmt::print("  {:<9} {:>12} bytes: {:.4f} bits per byte\n", name, size, bits(static_cast<size_t>(size)));
}

Decompress::Decompress(CLI::App& app) {
  arguments.declare(app, "an archive of fade compress", "the file to write");
}

void Decompress::run() {
  arguments.check_out();
  const std::string archive = read_file(arguments.in);
  const LoadedModel loaded = arguments.checkpoint.load();
  Percentage percentage;
  const std::vector<uint8_t> text =
      decompress(*loaded.model, bytes_of(archive), arguments.in, std::ref(percentage));
  write_file_atomically(arguments.out, text_of(text));
  fmt::print("{}: {} bytes from {}\n", arguments.out, text.size(), archive.size());
}

}  // namespace

std::unique_ptr<Command> make_compress(CLI::App& app) { return std::make_unique<Compress>(app); }
std::unique_ptr<Command> make_decompress(CLI::App& app) { return std::make_unique<Decompress>(app); }

}  // namespace fade
