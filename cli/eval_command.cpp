// `fade eval`: bits per byte of a checkpoint.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/command.h"
#include "engine/io/utf8.h"
#include "train/config/corpus_path.h"
#include "train/data/corpus.h"
#include "train/evaluate.h"
#include "train/figure.h"
#include "train/job.h"
#include "train/report.h"

namespace fade {
namespace {

// Where the configuration of a weights file lies: in its run, or beside the file.
std::filesystem::path folder_of(const std::filesystem::path& weights) {
  const std::filesystem::path folder = weights.parent_path(), run = folder.parent_path();
  std::error_code ignored;
  return std::filesystem::exists(run / "config.yaml", ignored) ? run : folder;
}

// The configuration of a checkpoint with overrides of what an evaluation reads. The model is what it is.
Config overridden(const Config& config, const std::vector<std::string>& sets) {
  const Config changed = parse_config(to_yaml(config), "the checkpoint's configuration", sets);
  for (const Key& key : config_keys()) {
    const std::string was = value_text(key, config), is = value_text(key, changed);
    const bool read = (key.path.starts_with("data.") && key.path != "data.vocab") ||
                      key.path == "train.batch" || key.path == "threads";
    if (was != is && !read)
      refuse("--set {}={}: an evaluation does not read it (it reads data.*, train.batch and threads)",
             key.path, is);
  }
  return changed;
}

struct Eval {
  CheckpointArguments checkpoint;
  std::vector<std::string> sets;
  std::string data, split;
  int streams = 0;
  bool json = false;

  explicit Eval(CLI::App& app) : checkpoint(app) {
    add_sets(app, sets, "key.path=value: overrides data.*, train.batch or threads; may be repeated");
    app.add_option("--data", data,
                   "a file to evaluate instead of the configuration's corpus; - is standard input");
    app.add_option("--split", split, "train, valid, test or all (default: valid; all of --data FILE)");
    add_number(app, "--streams", streams, range_of("train.batch"),
               "streams read in parallel, 1 for the strict figure (default: train.batch)");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run(const Ranks& ranks) const {
    ranks.require_same("--device", checkpoint.device, "give all ranks the same");
    DeviceChoice device = DeviceChoice::cpu;
    ranks.together([&] { device = parse_name<DeviceChoice>("--device", checkpoint.device); });
    device_for(device, ranks);  // each rank takes its GPU before the model is there
    LoadedModel loaded;
    std::optional<Corpus> corpus;
    Bytes text;
    const std::string part = !split.empty() ? split : data.empty() ? "valid" : "all";
    ranks.together([&] {
      loaded = load(ranks);
      const Split parsed = parse_name<Split>("--split", part);
      corpus.emplace(loaded.config.data);
      text = corpus->bytes(parsed);
    });
    require_same_on(ranks, loaded, *corpus);
    const EvalResult r = evaluate(*loaded.model, text, fmt::format("{} ({})", corpus->name(), part),
                                  {.streams = streams ? streams : loaded.config.train.batch, .ranks = ranks});
    ranks.together([&] {
      if (!std::isfinite(r.bits_per_byte))
        fail("{}: its predictions of {} are not numbers (a damaged or diverged model)", loaded.file.string(),
             printable(corpus->name()));
    });
    if (!ranks.leads()) return;
    if (json)
      print_json(r, part);
    else
      print(r, part, *corpus, text, loaded.config.model);
    say_which(loaded.which);
    warn_of_other_text(loaded.corpus, *corpus);
  }

 private:
  // The checkpoint, with the configuration of what is to be evaluated.
  LoadedModel load(const Ranks& ranks) const {
    refuse_for_one_rank(ranks, "CHECKPOINT", checkpoint.path);
    LoadedModel loaded = checkpoint.load(checkpoint.path, {}, ranks.leads() ? warn_of_damage : OnDamaged());
    if (!sets.empty()) {
      loaded.config = overridden(loaded.config, sets);
      if (!checkpoint.threads) set_threads(loaded.config.threads);
    }
    DataConfig& d = loaded.config.data;
    if (!data.empty()) {
      d.kind = DataKind::file;
      d.path = data;
    } else if (d.kind == DataKind::file) {
      find_corpus(d, folder_of(loaded.file));
      if (d.path != "-" && !path_exists(d.path))
        refuse("{}: no such file{} (give the text with --data FILE)", d.path, searched_folders(d));
    }
    refuse_for_one_rank(ranks, "--data", d.path);
    refuse_typed_text(d);
    return loaded;
  }

  // A run that is in training may get another checkpoint between the reading of two ranks.
  void require_same_on(const Ranks& ranks, const LoadedModel& loaded, const Corpus& corpus) const {
    if (ranks.count() == 1) return;
    const std::string same = "give all ranks the same";
    ranks.require_same("--split, --streams", fmt::format("{}, {}", split, streams), same);
    require_same(loaded.config, ranks);
    std::vector<NamedTensor> weights;
    for (const Parameter& p : loaded.model->parameters().all()) weights.push_back({p.name, p.value()});
    require_same("the weights of " + loaded.file.string(), weights, same, ranks);
    require_same(corpus, ranks);
  }

  static void print_json(const EvalResult& r, const std::string& part) {
    nlohmann::ordered_json out = {{"bits_per_byte", r.bits_per_byte},
                                  {"bytes", r.bytes},
                                  {"split", part},
                                  {"streams", r.streams},
                                  {"mean_rows", r.mean_rows}};
    if (r.mean_span) out["mean_span"] = *r.mean_span;
    fmt::print("{}\n", out.dump());
  }
  static void print(const EvalResult& r, const std::string& part, const Corpus& corpus, const Bytes& text,
                    const ModelConfig& model) {
    const int64_t last = static_cast<int64_t>(text.size()) - 1 - r.bytes;  // streams are equally long
    fmt::print("{} bits per byte on {} of {} ({} bytes predicted: all but the first{}; {} streams)\n",
               figure(r.bits_per_byte, 4), part, printable(corpus.name()), r.bytes,
               last ? fmt::format(" and the last {}", last) : "", r.streams);
    fmt::print("memory: {}\n", memory_text(r, model));
  }

  // Unless the text was chosen.
  void warn_of_other_text(const CorpusIdentity& trained, const Corpus& corpus) const {
    const auto chooses_text = [](const std::string& set) {
      return set.starts_with("data.path=") || set.starts_with("data.kind=") ||
             set.starts_with("data.recall.");
    };
    if (!data.empty() || std::ranges::any_of(sets, chooses_text)) return;
    const std::string change = change_of_corpus(trained, corpus.identity(), corpus.name());
    if (!change.empty()) print_stderr("warning: {} (--data FILE chooses the text)", printable(change));
  }
};

}  // namespace

void add_eval(Program& program) { add_command<Eval>(program, "eval", "bits per byte of a checkpoint"); }

}  // namespace fade
