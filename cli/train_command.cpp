// `fade train`: trains a model, and prints a closing report on standard output.
#include <array>
#include <cmath>
#include <sstream>

#include "cli/command.h"
#include "cli/compress/packers.h"
#include "train/bench_step.h"
#include "train/call.h"
#include "train/checkpoint/run_directory.h"
#include "train/config/text_plan.h"
#include "train/data/recall.h"
#include "train/figure.h"
#include "train/job.h"
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
  const double order0 = order0_bits(text);
  fmt::print("validation: {} bits per byte over {} bytes in {} streams\n", figure(v.bits_per_byte, 4),
             v.bytes, v.streams);
  fmt::print("for comparison: order-0 entropy {}, gzip -9 {} on the same bytes\n", figure(order0, 4),
             figure(8.0 * gzip_size(text) / text.size(), 4));
  if (v.bits_per_byte >= order0)
    fmt::print(
        "this is no better than the frequencies of the bytes: more steps, or a longer text, may help\n");
  fmt::print("memory: {}\n", memory_text(v, config.model));
  if (!report.spans.empty()) print_spans(report.spans);
  if (config.data.kind == DataKind::recall) print_recall(report.recall, config.data.recall);
}

void print_checkpoints(const FinishedRun& run, const Config& config) {
  const std::string directory = run.checkpoint.parent_path().string();
  const bool other = run.best && run.best->step != run.step, kept = other && config.train.checkpoint_every;
  const std::string bits = other ? figure(run.best->bits_per_byte, 4) : "";
  if (other && !kept) fmt::print("best validation: {} bits per byte after step {}\n", bits, run.best->step);
  if (kept)
    fmt::print("best checkpoint: {}/step-{}, {} bits per byte\n", directory, run.best->step, bits);
  else
    fmt::print("checkpoint: {}\n", run.checkpoint.string());
  fmt::print("to use it: {}\n", call_of({"generate", directory}));
  if (kept) fmt::print("last checkpoint: {}\n", run.checkpoint.string());
}

/// Prints the validation's bits per byte, compared with what needs no model; for expire_span a
/// table of mean spans by kind of byte; for the recall corpus the questions answered at each
/// distance; and where the checkpoints are.
void print_report(const FinishedRun& run, const Config& config) {
  if (run.report) print_validation(*run.report, run.text, config);
  print_checkpoints(run, config);
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
               fmt::format("training time, which takes the place of train.steps: the schedule ends with it "
                           "(of a text: {} where neither is given)",
                           kDefaultMinutes));
    app.add_flag("--check-finite", check_finite,
                 "check the result and the gradient of every operation for infinities and NaNs (slow)");
  }
  void run(const Ranks& ranks) {
    fs::path directory;
    std::vector<std::string> notes;
    Config c;
    ranks.together([&] {
      refuse_steps_beside(minutes, config.sets);
      directory = take_run();
      refuse_for_one_rank(ranks, "CONFIG", config.path);
      c = config.load(device_override(device), {}, &notes);
      refuse_for_one_rank(ranks, "data.path", c.data.path);
      refuse_typed_text(c.data);
    });
    TextPlan plan;
    plan.minutes = minutes;
    if (config.is_text()) plan = plan_text(ranks, c, notes);
    if (plan.minutes == 0 && find_override(config.sets, "train.max_steps"))
      notes.push_back(
          fmt::format("--set train.max_steps={} has no effect without --minutes: train.steps is {}",
                      c.train.max_steps, c.train.steps));
    const std::string job = ranks.count() > 1 ? fmt::format("mpirun -np {} ", ranks.count()) : "";
    run_training(c,
                 {.out = directory,
                  .from = from,
                  .resume = resume->count() > 0,
                  .minutes = plan.minutes,
                  .notes = notes,
                  .hint = "resume with: " + job + call_of({"train", "--resume", directory.string()}) +
                          (c.data.path == "-" ? " < TEXT" : ""),
                  .check_finite = check_finite,
                  .on_end = [&](const FinishedRun& run) { print_report(run, c); }},
                 ranks);
  }

 private:
  // Completes the configuration of a text by what rank 0 finds best. All ranks have it then.
  TextPlan plan_text(const Ranks& ranks, Config& c, std::vector<std::string>& notes) const {
    device_for(c.device, ranks);
    TextPlan plan;
    ranks.together([&] {
      if (!ranks.leads()) return;
      const std::vector<std::string> sizes = sizes_of_weights();
      TextBudget budget{text_bytes(c.data.path), minutes, speed_of(ranks), sizes, ranks.count()};
      for (const auto& more : {config.sets, device_override(device)})
        budget.given.insert(budget.given.end(), more.begin(), more.end());
      plan = plan_for_text(budget);
      plan.settings.insert(plan.settings.end(), sizes.begin(), sizes.end());
    });
    std::istringstream settings(ranks.broadcast(fmt::format("{}", fmt::join(plan.settings, "\n"))));
    plan.settings.clear();
    for (std::string line; std::getline(settings, line);) plan.settings.push_back(line);
    ranks.together([&] { c = config.load(device_override(device), plan.settings); });
    notes.insert(notes.begin(), plan.notes.begin(), plan.notes.end());
    plan.minutes = ranks.broadcast(plan.minutes);
    return plan;
  }
  // Of all ranks, as that of rank 0 with its share of the streams.
  static std::function<double(const Config&)> speed_of(const Ranks& ranks) {
    return [&ranks](Config candidate) {
      candidate.train.batch = std::max(candidate.train.batch / ranks.count(), 1);
      return ranks.count() * training_speed(candidate);
    };
  }
  // Settings: the sizes of the model whose weights are taken, as far as they are known.
  std::vector<std::string> sizes_of_weights() const {
    if (from.empty()) return {};
    if (from == "-" || fs::is_other(from))
      refuse("--from {}: can be read only once, but a text's run has to know sizes first (copy it to a file)",
             from);
    const WeightsFile weights = read_weights(from);
    if (!weights.file.metadata.contains("config")) return {};
    const Config theirs = config_of(weights.file, weights.path);
    std::vector<std::string> sizes;
    for (const Key& key : config_keys())
      if (key.path.starts_with("model.") && key.path != "model.dropout")
        sizes.push_back(fmt::format("{}={}", key.path, value_text(key, theirs)));
    return sizes;
  }

  // The run directory that the arguments mean. Sets the configuration's path where --resume RUN implies it.
  fs::path take_run() {
    std::string run = resumed.empty() ? "" : resumed.front();
    if (config.path.empty() && is_configuration(run))
      config.path = std::exchange(run, "");  // --resume CONFIG
    if (!run.empty()) {
      const fs::path directory = run_to_resume(run);
      if (!out.empty() && fs::weakly_canonical(out) != fs::weakly_canonical(directory))
        refuse("--out {}: --resume {} continues that run where it is (leave --out out)", out, run);
      if (config.path.empty() || config.is_text()) take_config_of(directory);
      return directory;
    }
    if (config.path.empty()) throw UsageError("train", "CONFIG is required");
    if (out.empty() && resume->count() && is_config_of_run(config.path)) return run_to_resume(config.path);
    const fs::path name = config.path == "-" ? "stdin" : fs::path(config.path).stem();
    const fs::path directory = out.empty() ? "runs" / name : fs::path(out);
    if (resume->count() && config.is_text()) take_config_of(run_to_resume(directory));
    return directory;
  }
  // What was chosen for a text stays when its run goes on, on the text that is given, if one is.
  void take_config_of(const fs::path& run) {
    if (!config.path.empty()) config.sets.insert(config.sets.begin(), "data.path=" + config.path);
    config.path = (run / kConfigFile).string();
    if (!path_exists(config.path))
      refuse("{}: no such file (give the run's configuration: {})", config.path,
             call_of({"train", "CONFIG", "--out", run.string(), "--resume"}));
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
