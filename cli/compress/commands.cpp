// `fade compress` and `fade decompress`.
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/compress/archive.h"
#include "cli/compress/packers.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "train/figure.h"
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
  /// The input. Throws InputError when it or the output cannot be used, before the long work begins.
  Input open() const {
    check_output(out, {in, checkpoint.config});
    return Input(in);
  }
  LoadedModel load() const { return checked(load(checkpoint.path)); }
  /// The model with which the archive was compressed, among the checkpoints that the argument means: the best
  /// of a run may be another by now.
  LoadedModel load_for(std::span<const uint8_t> archive, const std::string& name) const {
    LoadedModel first = load();
    if (checkpoint.path == "-" || was_compressed_with(*first.model, archive, name)) return first;
    for (const std::filesystem::path& other : checkpoints_meant_by(checkpoint.path, Prefer::newest)) {
      LoadedModel loaded;
      try {
        loaded = load(other);
      } catch (const Unreadable&) {
        throw;
      } catch (const InputError& e) {
        print_stderr("warning: {}; trying the other checkpoints of the run", e.what());
        continue;
      }
      loaded.which = other.string();
      if (was_compressed_with(*loaded.model, archive, name)) return checked(std::move(loaded));
    }
    return first;
  }
  // In f32, whatever the run was trained in: products on tensor cores may be computed by another algorithm in the
  // process that decompresses.
  LoadedModel load(const std::filesystem::path& from) const {
    return checkpoint.load(from, [](Config& c) { c.precision = ProductChoice::f32; });
  }
  LoadedModel checked(LoadedModel loaded) const {
    check_output(out, {loaded.file});
    return loaded;
  }
  /// Calls `code` with an OnProgress that shows, on a terminal, the share that is done and the time left, and
  /// writes the bytes that it returns to `out`. Returns them.
  template <class Code>
  std::vector<uint8_t> write(const Code& code) const {
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
    return bytes;
  }
  /// Prints a line about the work: to standard error where the output is standard output.
  template <class... A>
  void print(fmt::format_string<A...> format, A&&... args) const {
    const std::string line = fmt::format(format, std::forward<A>(args)...);
    if (is_standard_output(out))
      print_stderr("{}", line);
    else
      fmt::print("{}\n", line);
  }
  std::string name_of_output() const { return out == "-" ? "standard output" : out; }
};

struct Compress {
  CodingArguments arguments;
  int streams = 0;
  bool json = false;

  explicit Compress(CLI::App& app)
      : arguments(app, "the file to compress; - is standard input",
                  "the archive to write; - is standard output, and messages then go to standard error") {
    add_number(app, "--streams", streams, {1, kMostStreams},
               "parts read in parallel (default: one per 64 KiB, at most 16)");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() const {
    refuse_terminal(arguments.out);
    Input in = arguments.open();
    const std::string bytes = in.read_all();
    const auto text = bytes_of(bytes);
    const LoadedModel loaded = arguments.load();
    const int count = streams ? streams : default_streams(text.size());
    const std::vector<uint8_t> archive = arguments.write([&](const OnProgress& on_progress) {
      return compress(*loaded.model, text, in.name(), count, on_progress);
    });
    const auto bits = [&](size_t size) {
      return text.empty() ? 0 : 8 * static_cast<double>(size) / static_cast<double>(text.size());
    };
    const std::array<std::pair<const char*, int64_t>, 3> others{
        {{"gzip -9", gzip_size(text)}, {"xz -9", xz_size(text)}, {"zstd -19", zstd_size(text)}}};
    if (json) {
      nlohmann::ordered_json line = {{"bytes", text.size()},
                                     {"archive_bytes", archive.size()},
                                     {"bits_per_byte", bits(archive.size())},
                                     {"streams", count},
                                     {"stored", is_stored(archive)}};
      for (const auto& [name, size] : others) line["others"][name] = size;
      arguments.print("{}", line.dump());
      return say_which(loaded.which);
    }
    arguments.print(
        "{}: {} bytes in {}: {} bits per byte, {}", arguments.name_of_output(), archive.size(), text.size(),
        figure(bits(archive.size()), 4),
        is_stored(archive) ? "stored (the model does not predict it)" : fmt::format("{} streams", count));
    for (const auto& [name, size] : others)
      arguments.print("  {:<9} {:>12} bytes: {} bits per byte", name, size,
                      figure(bits(static_cast<size_t>(size)), 4));
    say_which(loaded.which);
  }
};

struct Decompress {
  CodingArguments arguments;

  explicit Decompress(CLI::App& app)
      : arguments(app, "an archive of fade compress; - is standard input",
                  "the file to write; - is standard output, and messages then go to standard error") {}
  void run() const {
    Input in = arguments.open();
    const std::string archive = in.read_all();
    const LoadedModel loaded = arguments.load_for(bytes_of(archive), in.name());
    const std::vector<uint8_t> text = arguments.write([&](const OnProgress& on_progress) {
      return decompress(*loaded.model, bytes_of(archive), in.name(), on_progress);
    });
    arguments.print("{}: {} bytes from {}", arguments.name_of_output(), text.size(), archive.size());
    say_which(loaded.which);
  }
};

}  // namespace

void add_compress(Program& program) {
  add_command<Compress>(program, "compress", "compress a file with a checkpoint's predictions");
}
void add_decompress(Program& program) {
  add_command<Decompress>(program, "decompress", "decompress a file that compress wrote");
}

}  // namespace fade
