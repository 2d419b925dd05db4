// `fade compare`: trains several configurations on the same data and compares the results.
#include <filesystem>
#include <system_error>

#include "cli/command.h"
#include "cli/compare/comparison.h"
#include "train/config/schema.h"
#include "train/data/corpus.h"
#include "train/follow.h"
#include "train/interrupt.h"
#include "train/resume.h"
#include "train/run.h"
#include "train/time_limit.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

bool has_span_loss(const Config& c) { return kind_info(c.model.kind).spans != Spans::none; }

// Bits per byte are comparable only on the same bytes, with the same seeds.
void check_common(const Config& first, const std::string& first_path, const Config& other,
                  const std::string& path) {
  for (const Key& key : config_keys()) {
    const bool common = key.path.starts_with("data.") || key.path == "seed" || key.path == "train.eval_bytes";
    const std::string a = value_text(key, first), b = value_text(key, other);
    if (common && a != b)
      refuse("{}: {}: found {}, but {} has {} (--set {}=... sets it for all)", path, key.path, b, first_path,
             a, key.path);
  }
}

// The runs are compared by their last validation, of the same bytes, which each of them reads.
void check_validation(const Config& config, const std::string& path) {
  const fs::path corpus = config.data.path;
  if (config.data.kind == DataKind::file && (corpus == "-" || (fs::exists(corpus) && fs::is_other(corpus))))
    refuse("{}: not a regular file, but every run reads it (copy it to one)", config.data.path);
  const bool cut = config.train.eval_bytes == 1;
  if (cut || Corpus(config.data).bytes(Split::valid).size() < 2)
    refuse("{}: {} leaves less than two bytes for the validation by which runs are compared", path,
           cut ? "train.eval_bytes" : "data.split");
}

// True when there is a run to go on with. Throws InputError when it was trained with other settings or bytes.
bool is_begun(const Config& config, const fs::path& run, double minutes) {
  if (!holds_checkpoints(run)) return false;
  require_unchanged(config, run, minutes);
  return true;
}

struct Compare {
  std::vector<std::string> paths, sets;
  std::string out, device;
  int steps = 0;
  double minutes = 0;
  std::vector<double> span_losses;
  std::vector<uint64_t> seeds;

  explicit Compare(CLI::App& app) {
    app.add_option("CONFIG", paths, "configuration files")->required();
    add_sets(app, sets, "key.path=value: overrides a key of every configuration; may be repeated");
    add_number(app, "--steps", steps, {1, range_of("train.steps").high},
               "updates of each run: overrides train.steps");
    add_number(
        app, "--minutes", minutes, {0.01, 1e6},
        "training time of each run, with which its schedule ends: takes the place of train.steps; on the CPU, "
        "CPU time per thread")
        ->excludes("--steps");
    add_numbers(app, "--span-loss", span_losses, range_of("model.span.loss"),
                "A,B,..: trains configurations with learned spans with each of these coefficients, too");
    add_numbers(app, "--seeds", seeds, range_of("seed"),
                "A,B,..: trains each configuration with each of these seeds, and compares the means");
    app.add_option("--out", out, "directory of the runs and results (default: runs/compare)");
    app.add_option("--device", device, "auto, cpu or cuda: overrides the configurations'");
  }

  /// Trains the configurations one after the other, each in a run directory of its own in `out`: finished
  /// runs are kept, interrupted ones are resumed. Prints the table, and writes it and plots to `out`, where
  /// those of an earlier call go when the first run begins. A run that diverges is left out of them, and an
  /// Error at the end names it. Throws InputError, before anything is written, when the configurations differ
  /// in data or seed, or from runs that are there.
  /// Rank 0 decides which runs begin; it alone touches `out`, and prints.
  void run(const Ranks& ranks) const {
    std::vector<std::string> notes;
    std::vector<Plan> all;
    ranks.together([&] {
      for (const std::string& path : paths) refuse_for_one_rank(ranks, "CONFIG", path);
      all = plans(notes);
    });
    std::string names;
    for (const Plan& plan : all) names += plan.name() + ' ';
    ranks.require_same("the runs", names, "give all ranks the same configurations and options");
    if (ranks.leads())
      lead(std::move(all), notes, ranks);
    else
      follow(all, ranks);
  }

 private:
  /// A run to train: OUT/name, from a configuration.
  struct Plan {
    RunName run;
    Config config;
    bool begun = false;  ///< by an earlier call
    std::string name() const { return run.directory(); }
  };

  fs::path folder() const { return out.empty() ? "runs/compare" : out; }

  void lead(std::vector<Plan> all, const std::vector<std::string>& notes, const Ranks& ranks) const {
    const Leading leading(ranks);
    const bool with_published = is_enwik8(Corpus(all.front().config.data));
    for (Plan& plan : all) plan.begun = is_begun(plan.config, folder() / plan.name(), minutes);
    for (const std::string& note : notes) print_stderr("{}", note);
    std::vector<RunResult> results;
    std::vector<std::string> diverged;
    const auto write = [&] { write_comparison(folder(), results); };
    const InterruptGuard guard;  // outlives those of the runs, so that an interrupt ends the comparison, too
    for (const Plan& plan : all) {
      const fs::path directory = folder() / plan.name();
      ranks.broadcast(Order::run);
      try {
        if (train(plan,
                  {.out = directory,
                   .resume = plan.begun,
                   .minutes = minutes,
                   .cpu_time = true,
                   .on_begin = write},
                  ranks)) {
          results.push_back(read_result(directory, plan.run));
          if (!with_published) results.back().published.reset();
          write();
        }
      } catch (const NonfiniteError& e) {  // the others can be compared all the same
        print_stderr("{}: {}; it is left out of the comparison", plan.name(), e.what());
        diverged.push_back(plan.name());
      }
      if (InterruptGuard::requested() && results.size() + diverged.size() < all.size()) {
        print_stderr("{} of {} runs are finished; the same call of fade compare continues", results.size(),
                     all.size());
        return;
      }
    }
    if (!results.empty()) fmt::print("{}", comparison_table(results));
    if (!diverged.empty())
      fail("{} of {} runs diverged: {}", diverged.size(), all.size(), fmt::join(diverged, ", "));
  }

  // The other ranks train what rank 0 trains. What fails on all of them is rank 0's to tell.
  void follow(const std::vector<Plan>& all, const Ranks& ranks) const {
    const SignalsIgnored ignored;
    for (auto plan = all.begin(); ranks.broadcast(Order::end) == Order::run; ++plan) try {
        train(*plan, {.out = {}, .minutes = minutes}, ranks);
      } catch (const Error&) {
      }
  }

  static bool train(const Plan& plan, const RunOptions& options, const Ranks& ranks) {
    return ranks.take_part([&] {
      set_up_process(plan.config);
      return run_training(plan.config, options, ranks);
    });
  }

  void check_length(const Config& config, const std::string& path) const {
    try {
      TimeLimit::check(config.train, minutes);
    } catch (const InputError& e) {
      refuse("{}: {}", path, e.what());
    }
  }

  // `notes` receives what to tell about them.
  std::vector<Plan> plans(std::vector<std::string>& notes) const {
    refuse_steps_beside(minutes, sets);
    if (!seeds.empty()) refuse_set_beside("--seeds", "seed", sets);
    std::vector<std::string> overrides = sets;
    if (steps) overrides.push_back(fmt::format("train.steps={}", steps));
    if (!seeds.empty()) overrides.push_back(fmt::format("seed={}", seeds.front()));  // for check_common
    for (const std::string& override : device_override(device)) overrides.push_back(override);
    std::vector<Plan> plans;
    const auto plan = [&](const RunName& run, const Config& config) {
      if (std::ranges::find(plans, run.directory(), &Plan::name) != plans.end())
        refuse("{}: a second run of this name (runs are named after their files, --span-loss and --seeds)",
               run.directory());
      plans.push_back({run, config});
    };
    const auto plan_seeds = [&](const RunName& run, Config config) {
      if (seeds.empty()) plan(run, config);
      for (const uint64_t seed : seeds) {
        config.seed = seed;
        plan({run.variant, run.family, seed}, config);
      }
    };
    for (const std::string& path : paths) {
      const Config config = load_config(path, overrides);
      if (!plans.empty()) check_common(plans.front().config, paths.front(), config, path);
      check_length(config, path);
      const std::string stem = fs::path(path).stem().string();
      plan_seeds({stem, stem}, config);
      for (const double loss : span_losses) {
        if (!has_span_loss(config) || loss == config.model.span.loss) continue;
        Config varied = config;
        varied.model.span.loss = loss;
        plan_seeds({fmt::format("{}-span-loss-{}", stem, loss), stem}, varied);
      }
    }
    check_validation(plans.front().config, paths.front());
    // What one of the configurations reads has an effect.
    for (const std::string& set : sets)
      if (std::ranges::none_of(plans,
                               [&](const Plan& p) { return unread_settings(p.config, {set}).empty(); }))
        notes.push_back(unread_settings(plans.front().config, {set}).front());
    return plans;
  }
};

}  // namespace

void add_compare(Program& program) {
  add_command<Compare>(program, "compare", "train several models on the same data and compare them");
}

}  // namespace fade
