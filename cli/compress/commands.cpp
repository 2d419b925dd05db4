// `fade compress` and `fade decompress`.
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/compress/archive.h"
#include "cli/compress/packers.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "train/progress.h"

namespace fade {
namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// The arguments of both.
struct CodingArguments {
  CheckpointArguments checkpoint;
  std::string in, out;

  CodingArguments(CLI::App& app, const char* in_is, const char* out_is) : checkpoint(app) {
    app.add_option("IN", in, in_is)->required();
    app.add_option("OUT", out, out_is)->required();
  }
  /// Calls `code` with an OnProgress that shows, on a terminal, the share that is done and the time left, and
  /// writes the bytes that it returns to `out`. Returns their number.
  template <class Code>
  size_t write(const Code& code) const {
    Progress progress;
    const auto start = std::chrono::steady_clock::now();
    std::vector<uint8_t> bytes;
    const OnProgress show = [&](double done) {
      const double seconds = seconds_since(start);
      progress.update(
          fmt::format("{:.1f}%, {} left", 100 * done, format_duration(seconds / done * (1 - done))));
    };
    try {
      bytes = code(show);
    } catch (...) {
      progress.clear();
      throw;
    }
    progress.clear();
    write_file_atomically(out, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return bytes.size();
  }
};

struct Compress {
  CodingArguments arguments;
  int streams = 0;
  bool json = false;

  explicit Compress(CLI::App& app) : arguments(app, "the file to compress", "the archive to write") {
    add_number(app, "--streams", streams, {1, kMostStreams},
               "parts read in parallel (default: one per 64 KiB, at most 16)");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() const {
    check_output(arguments.out, {arguments.in});
    const std::string bytes = read_file(arguments.in);
    const auto text = bytes_of(bytes);
    const LoadedModel loaded = arguments.checkpoint.load();
    const int count = streams ? streams : default_streams(text.size());
    const size_t archive = arguments.write([&](const OnProgress& on_progress) {
      return compress(*loaded.model, text, arguments.in, count, on_progress);
    });
    const auto bits = [&](size_t size) {
      return text.empty() ? 0 : 8 * static_cast<double>(size) / static_cast<double>(text.size());
    };
    const std::array<std::pair<const char*, int64_t>, 3> others{
        {{"gzip -9", gzip_size(text)}, {"xz -9", xz_size(text)}, {"zstd -19", zstd_size(text)}}};
    if (json) {
      nlohmann::ordered_json line = {{"bytes", text.size()},
                                     {"archive_bytes", archive},
                                     {"bits_per_byte", bits(archive)},
                                     {"streams", count}};
      for (const auto& [name, size] : others) line["others"][name] = size;
      fmt::print("{}\n", line.dump());
      return;
    }
    fmt::print("{}: {} bytes in {}: {:.4f} bits per byte, {} streams\n", arguments.out, archive, bytes.size(),
               bits(archive), count);
    for (const auto& [name, size] : others)
      fmt::print("  {:<9} {:>12} bytes: {:.4f} bits per byte\n", name, size, bits(static_cast<size_t>(size)));
  }
};

struct Decompress {
  CodingArguments arguments;

  explicit Decompress(CLI::App& app) : arguments(app, "an archive of fade compress", "the file to write") {}
  void run() const {
    check_output(arguments.out, {arguments.in});
    const std::string archive = read_file(arguments.in);
    const LoadedModel loaded = arguments.checkpoint.load();
    const size_t text = arguments.write([&](const OnProgress& on_progress) {
      return decompress(*loaded.model, bytes_of(archive), arguments.in, on_progress);
    });
    fmt::print("{}: {} bytes from {}\n", arguments.out, text, archive.size());
  }
};

}  // namespace

void add_compress(CLI::App& program) {
  add_command<Compress>(program, "compress", "compress a file with a checkpoint's predictions");
}
void add_decompress(CLI::App& program) {
  add_command<Decompress>(program, "decompress", "decompress a file that compress wrote");
}

}  // namespace fade
