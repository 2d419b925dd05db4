// `fade train`: trains a model, and prints a closing report on standard output.
#include <array>
#include <cmath>

#include "cli/command.h"
#include "cli/compress/packers.h"
#include "train/call.h"
#include "train/checkpoint/run_directory.h"
#include "train/data/recall.h"
#include "train/figure.h"
#include "train/run.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

// Bits per byte of the text's own byte frequencies: the best that a model without any context can reach.
double order0_bits(const Bytes& text) {
  std::array<double, 256> count{};
  text.each_piece([&](std::span<const uint8_t> piece) {
    for (const uint8_t c : piece) ++count[c];
  });
  double bits = 0;
  for (const double k : count)
    if (k > 0) bits -= k / text.size() * std::log2(k / text.size());
  return bits;
}

void print_spans(const std::vector<KindSpans>& spans) {
  fmt::print("\nmean span, in bytes, by kind of byte\n  {:<18}", "");
  for (size_t l = 0; l < spans.front().mean_span.size(); ++l) fmt::print("{:>9}", fmt::format("layer {}", l));
  fmt::print("{:>9}\n", "share");
  int64_t total = 0;
  for (const KindSpans& row : spans) total += row.bytes;
  for (const KindSpans& row : spans) {
    fmt::print("  {:<18}", row.kind);
    for (const double span : row.mean_span) fmt::print("{:>9}", figure(span, 1));
    fmt::print("{:>8.1f}%\n", 100.0 * row.bytes / total);
  }
}

void print_recall(const std::vector<RecallScore>& scores, const RecallConfig& config) {
  fmt::print("\nquestions answered, by distance to the fact (a guess: {:.1f}%)\n", 100.0 / config.values);
  for (const RecallScore& s : scores)
    fmt::print("  {:>4} - {:<4} {:>6.1f}%  of {}\n", s.nearest, s.farthest, s.percent(), s.asked);
  const RecallBounds bounds = recall_bounds(config);
  fmt::print("  best possible {:.4f} bits per byte; {:.4f} if every answer is guessed\n", bounds.best,
             bounds.forgetful);
}

void print_validation(const Report& report, const Bytes& text, const Config& config) {
  const EvalResult& v = report.validation;
  fmt::print("validation: {} bits per byte over {} bytes in {} streams\n", figure(v.bits_per_byte, 4),
             v.bytes, v.streams);
  fmt::print("for comparison: order-0 entropy {}, gzip -9 {} on the same bytes\n",
             figure(order0_bits(text), 4), figure(8.0 * gzip_size(text) / text.size(), 4));
  fmt::print("memory: {}\n", memory_text(v, config.model));
  if (!report.spans.empty()) print_spans(report.spans);
  if (config.data.kind == DataKind::recall) print_recall(report.recall, config.data.recall);
}

/// Prints the validation's bits per byte, compared with what needs no model; for expire_span a
/// table of mean spans by kind of byte; for the recall corpus the questions answered at each
/// distance; and where the checkpoint is.
void print_report(const FinishedRun& run, const Config& config) {
  if (run.report) {
    print_validation(*run.report, run.text, config);
    if (run.best && run.best->step != run.step)
      fmt::print("best validation: {} bits per byte after step {}\n", figure(run.best->bits_per_byte, 4),
                 run.best->step);
  }
  fmt::print("checkpoint: {}\n", run.checkpoint.string());
}

struct Train {
  ConfigArguments config;
  std::string out, device, from;
  std::vector<std::string> resumed;  // the value of --resume, if it has one
  const CLI::Option* resume;
  bool check_finite = false;
  double minutes = 0;

  explicit Train(CLI::App& app) : config(app, true) {
    app.get_option("CONFIG")->required(false);  // --resume RUN has its own
    app.add_option("--out", out, "run directory (default: runs/ and the configuration's name)");
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configuration's");
    resume = app.add_option("--resume", resumed,
                            "continue from the newest checkpoint of RUN, or of CONFIG's run directory")
                 ->type_name("RUN")
                 ->expected(0, 1);
    app.add_option(
           "--from", from,
           "begin with the weights of another run (its best checkpoint) or checkpoint; the optimizer, the "
           "schedule, memories and data start anew")
        ->type_name("RUN")
        ->check(not_empty())
        ->excludes("--resume");
    add_number(app, "--minutes", minutes, {0.01, 1e6},
               "training time, which takes the place of train.steps: the schedule ends with it");
    app.add_flag("--check-finite", check_finite,
                 "check the result and the gradient of every operation for infinities and NaNs (slow)");
  }
  void run(const Ranks& ranks) {
    fs::path directory;
    std::vector<std::string> notes;
    Config c;
    ranks.together([&] {
      directory = take_run();
      refuse_for_one_rank(ranks, "CONFIG", config.path);
      c = config.load(device_override(device), {}, &notes);
      refuse_for_one_rank(ranks, "data.path", c.data.path);
      refuse_typed_text(c.data);
    });
    const std::string job = ranks.count() > 1 ? fmt::format("mpirun -np {} ", ranks.count()) : "";
    run_training(c,
                 {.out = directory,
                  .from = from,
                  .resume = resume->count() > 0,
                  .minutes = minutes,
                  .notes = notes,
                  .hint = "resume with: " + job + call_of({"train", "--resume", directory.string()}) +
                          (minutes > 0 ? fmt::format(" --minutes {}", minutes) : "") +
                          (c.data.path == "-" ? " < TEXT" : ""),
                  .check_finite = check_finite,
                  .on_end = [&](const FinishedRun& run) { print_report(run, c); }},
                 ranks);
  }

 private:
  // The run directory that the arguments mean. Sets the configuration's path where --resume RUN implies it.
  fs::path take_run() {
    std::string run = resumed.empty() ? "" : resumed.front();
    if (config.path.empty() && is_configuration(run))
      config.path = std::exchange(run, "");  // --resume CONFIG
    if (!run.empty()) {
      const fs::path directory = run_to_resume(run);
      if (!out.empty() && fs::weakly_canonical(out) != fs::weakly_canonical(directory))
        refuse("--out {}: --resume {} continues that run where it is (leave --out out)", out, run);
      if (!config.path.empty()) return directory;
      config.path = (directory / kConfigFile).string();
      if (!path_exists(config.path))
        refuse("{}: no such file (give the run's configuration: {})", config.path,
               call_of({"train", "CONFIG", "--out", directory.string(), "--resume"}));
      return directory;
    }
    if (config.path.empty()) throw UsageError("train", "CONFIG is required");
    if (!out.empty()) return out;
    if (resume->count() && is_config_of_run(config.path)) return run_to_resume(config.path);
    return "runs" / (config.path == "-" ? "stdin" : fs::path(config.path).stem());
  }

  static bool is_config_of_run(const fs::path& path) {
    return path.filename() == kConfigFile && is_run(path.has_parent_path() ? path.parent_path() : ".");
  }
  static bool is_configuration(const fs::path& path) {
    return is_configuration_name(path) && !is_config_of_run(path);
  }
};

}  // namespace

void add_train(Program& program) { add_command<Train>(program, "train", "train a model"); }

}  // namespace fade
