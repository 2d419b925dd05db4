// `fade spans`: how long a model keeps each byte of a text.
#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cli/spans/output.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "engine/io/utf8.h"
#include "train/checkpoint/run_directory.h"
#include "train/progress.h"

namespace fade {
namespace {

constexpr int64_t kMostBytes = 200'000;  // what a browser shows with ease

struct SpansCommand {
  CheckpointArguments checkpoint;
  std::string text, out, json, layer = "mean";
  std::vector<int64_t> cuts;
  int64_t bytes = 0;
  bool ansi = false;

  explicit SpansCommand(CLI::App& app) : checkpoint(app) {
    app.add_option("--text", text, "the text, read from an empty memory; - is standard input")->required();
    app.add_option("--out", out, "writes a page for a browser to this file; - is standard output");
    app.add_option("--json", json, "writes the numbers to this file; - is standard output");
    app.add_flag("--ansi", ansi, "paints the text in a terminal, which needs 256 colours");
    app.add_option("--layer", layer,
                   "whose spans shade the text (a page can change it): mean, max, or a layer, 0 first")
        ->capture_default_str();
    add_numbers(
        app, "--cut", cuts, {0, 1 << 20},
        "N,N,..: the loss with memory cut to N rows, for each of them; 0: none (default: 16, 64, 256, .. "
        "below the farthest row that is seen)");
    add_number(app, "--bytes", bytes, {1, kMostBytes}, "reads only so many bytes from the start of the text");
  }
  void run() const {
    if (!out.empty() + !json.empty() + ansi != 1)
      refuse("give one of --out PAGE.html, --json FILE and --ansi, and only one");
    const std::string& file = out.empty() ? json : out;
    if (!ansi) check_output(file, {text});
    const std::string begin = beginning();
    const LoadedModel loaded = checkpoint.load();
    if (!ansi) {
      check_output(file, {loaded.file});
      refuse_file_of_run(file);
    }
    const LayerChoice layers = LayerChoice::parse(layer, loaded.config.model.layers);
    const SpanReading reading = read(*loaded.model, begin);
    if (ansi)
      fmt::print("{}", spans_ansi(reading, layers));
    else
      write_file_atomically(file, json.empty() ? page(reading, loaded) : spans_json(reading));
    say_which(loaded.which);
  }

 private:
  // The text, or the part of it that is to be read.
  std::string beginning() const {
    refuse_typed_text(text);
    Input file(text);
    const auto size = static_cast<int64_t>(file.size());
    if (!bytes && size > kMostBytes)
      refuse("{}: {} bytes, more than the {} that are shown at most (--bytes {} takes them from its start)",
             file.name(), size, kMostBytes, kMostBytes);
    std::string begin(static_cast<size_t>(bytes ? std::min(bytes, size) : size), '\0');
    begin.resize(file.read(begin.data(), begin.size()));
    return begin;
  }

  SpanReading read(const Transformer& model, const std::string& begin) const {
    ReadingOptions options;
    if (!cuts.empty()) {
      std::vector<int64_t>& rows = options.cuts.emplace(cuts);
      std::ranges::sort(rows);
      rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
      std::erase(rows, 0);
    }
    Progress progress;
    options.on_pass = [&](const std::string& what) { progress.update("reading " + what); };
    return read_spans(model, {reinterpret_cast<const uint8_t*>(begin.data()), begin.size()}, name(), options);
  }

  std::string page(const SpanReading& reading, const LoadedModel& loaded) const {
    Progress progress;
    progress.update("reading the attention");
    const StrongestRows rows = strongest_rows(*loaded.model, reading.text, kStrongestOnPage);
    progress.update("writing the page");
    return spans_page(
        reading, rows,
        {.text = text == "-" ? name() : printable(std::filesystem::path(text).filename().string()),
         .run = printable(loaded.file.parent_path().string())},
        layer);
  }

  std::string name() const { return printable(text == "-" ? "standard input" : text); }
};

}  // namespace

void add_spans(Program& program) {
  add_command<SpansCommand>(program, "spans",
                            "how long a model keeps each byte of a text: a page, numbers, colours");
}

}  // namespace fade
