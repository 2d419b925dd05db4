// `fade eval`: bits per byte of a checkpoint.
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "train/data/corpus.h"
#include "train/evaluate.h"

namespace fade {
namespace {

struct Eval {
  CheckpointArguments checkpoint;
  std::string data, split = "valid";
  int streams = 0;
  bool json = false;

  explicit Eval(CLI::App& app) : checkpoint(app) {
    app.add_option("--data", data, "a file to evaluate instead of the configuration's corpus");
    app.add_option("--split", split, "train, valid, test or all")->capture_default_str();
    add_number(app, "--streams", streams, range_of("train.batch"),
               "streams read in parallel; 1 is the strict figure (default: train.batch)");
    app.add_flag("--json", json, "print one JSON object");
  }
  void run() const {
    LoadedModel loaded = checkpoint.load();
    DataConfig& d = loaded.config.data;
    if (!data.empty()) {
      d.kind = DataKind::file;
      d.path = data;
    }
    const Corpus corpus(d);
    const EvalResult r = evaluate(*loaded.model, corpus.bytes(parse_name<Split>("--split", split)),
                                  fmt::format("{} ({})", corpus.name(), split),
                                  {.streams = streams ? streams : loaded.config.train.batch});
    if (json) {
      const nlohmann::ordered_json out = {{"bits_per_byte", r.bits_per_byte},
                                          {"bytes", r.bytes},
                                          {"split", split},
                                          {"streams", r.streams},
                                          {"mean_rows", r.mean_rows},
                                          {"mean_span", r.mean_span}};
      fmt::print("{}\n", out.dump());
      return;
    }
    fmt::print("{:.4f} bits per byte on {} of {} ({} bytes predicted, {} streams)\n", r.bits_per_byte, split,
               corpus.name(), r.bytes, r.streams);
    fmt::print("{:.1f} rows in memory per stream and layer; mean span {:.1f}\n", r.mean_rows, r.mean_span);
  }
};

}  // namespace

void add_eval(CLI::App& program) { add_command<Eval>(program, "eval", "bits per byte of a checkpoint"); }

}  // namespace fade
