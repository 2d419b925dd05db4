// The commands of the command line, and the arguments that several of them take.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "engine/error.h"
#include "engine/io/standard_streams.h"
#include "engine/parallel.h"
#include "engine/ranks/ranks.h"
#include "train/checkpoint/weights.h"
#include "train/config/config.h"
#include "train/config/file.h"
#include "train/config/resolve.h"
#include "train/config/text_preset.h"
#include "train/config/unread.h"

namespace fade {

/// The program's commands, and the one that was given.
struct Program : CLI::App {
  explicit Program(const Ranks& job)
      : App("fade: train transformers that learn what to forget (Expire-Span)", "fade"), ranks(job) {}
  const Ranks& ranks;             ///< that it was started as
  std::function<void()> command;  ///< to be run when all ranks have read their arguments
};

/// Wrong arguments of a command.
struct UsageError : InputError {
  UsageError(const std::string& name, const std::string& message)
      : InputError(fmt::format("fade {}: {}", name, message)), command(name) {}
  std::string command;  ///< its name
};

/// Adds a command to the program. A C declares its arguments in its constructor, and they are filled before its
/// run(ranks), or run(), is called. One with run() is refused when there are several ranks.
template <class C>
void add_command(Program& program, const char* name, const char* description) {
  CLI::App& app = *program.add_subcommand(name, description);
  app.callback([&program, name, command = std::make_shared<C>(app)] {
    const Ranks& ranks = program.ranks;
    if constexpr (requires { command->run(ranks); }) {
      program.command = [command, &ranks] { command->run(ranks); };
    } else {
      if (ranks.count() > 1)
        refuse("{}: runs as one process, but was started as {} ranks (start it without mpirun)", name,
               ranks.count());
      program.command = [command] { command->run(); };
    }
  });
}

/// A configuration file and overrides of it.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> sets;
  bool takes_text;

  explicit ConfigArguments(CLI::App& app, bool text_too = false) : takes_text(text_too) {
    app.add_option("CONFIG", path,
                   std::string("configuration file (YAML; docs/configuration.md lists the keys)") +
                       (takes_text ? ", or a text: any file not named .yaml, .yml or .safetensors" : ""))
        ->required();
    add_sets(app, sets, "key.path=value: overrides a key of the configuration; may be repeated");
  }
  /// Of keys set more than once, the last wins: a command's defaults, --set, then a command's own options.
  /// Sets up the process, too (set_up_process). `notes` receives what to tell at the start about settings without effect.
  Config load(const std::vector<std::string>& options = {}, const std::vector<std::string>& defaults = {},
              std::vector<std::string>* notes = nullptr) const {
    std::vector<std::string> all = defaults;
    all.insert(all.end(), sets.begin(), sets.end());
    all.insert(all.end(), options.begin(), options.end());
    const Config read = is_text() ? config_for_text(path, all) : load_config(path, all);
    if (notes) *notes = unread_settings(read, sets);
    set_up_process(read);
    return read;
  }
  bool is_text() const { return takes_text && !is_configuration_name(path); }
};

constexpr const char* kCheckpointForms =
    "a run directory (its best checkpoint is taken, or else its newest), a run's best or latest, a "
    "checkpoint directory, or a model.safetensors (- is one on standard input)";

/// Throws InputError when the text at `path` would have to be typed.
inline void refuse_typed_text(const std::string& path) {
  if (path == "-" && stdin_is_terminal())
    refuse("standard input: a terminal, where a text was expected (add < FILE to the command)");
}
inline void refuse_typed_text(const DataConfig& data) {
  if (data.kind == DataKind::file) refuse_typed_text(data.path);
}

/// Throws InputError when several ranks are to read standard input, which mpirun gives to the first alone.
inline void refuse_for_one_rank(const Ranks& ranks, const std::string& what, const std::string& path) {
  if (ranks.count() > 1 && path == "-")
    refuse("{}: -: of several ranks only the first has standard input (give a file)", what);
}

inline void warn_of_damage(const std::filesystem::path&, const std::string& what) {
  print_stderr("warning: {}; taking the next checkpoint of the run", what);
}

/// A checkpoint to load, and where.
struct CheckpointArguments {
  std::string path, device = "auto", config;
  int threads = 0;

  /// With `on_cpu`, the command computes on the CPU only, and has no option --device. `name` and `forms`: of the
  /// argument, in the help.
  explicit CheckpointArguments(CLI::App& app, bool on_cpu = false, const std::string& name = "CHECKPOINT",
                               const std::string& forms = kCheckpointForms) {
    app.add_option(name, path, forms)->required();
    app.add_option("--config", config, "configuration file, for weights without one in their metadata")
        ->check(not_empty());
    if (on_cpu)
      device = "cpu";
    else
      app.add_option("--device", device, "auto, cpu or cuda")->capture_default_str();
    add_number(app, "--threads", threads, {1, range_of("threads").high},
               "threads to use (default: the configuration's)");
  }
  LoadedModel load() const { return load(path); }
  LoadedModel load(const std::filesystem::path& checkpoint, const std::function<void(Config&)>& change = {},
                   const OnDamaged& on_damaged = warn_of_damage) const {
    LoadedModel loaded =
        load_model(checkpoint, {parse_name<DeviceChoice>("--device", device), config, change}, on_damaged);
    set_up_process(loaded.config);
    if (threads) set_threads(threads);
    return loaded;
  }
};

/// Says which checkpoint of a run was taken; nothing where `which` is empty. Call it after the results: an
/// error is the first line on standard error.
inline void say_which(const std::string& which) {
  if (which.empty()) return;
  flush_stdout();
  print_stderr("checkpoint: {}", which);
}

// The commands, each in a file of its own.
void add_train(Program& program);
void add_compare(Program& program);
void add_eval(Program& program);
void add_generate(Program& program);
void add_compress(Program& program);
void add_decompress(Program& program);
void add_grad(Program& program);
void add_bench(Program& program);
void add_spans(Program& program);
void add_trace(Program& program);
void add_report(Program& program);
void add_info(Program& program);
void add_explain(Program& program);

}  // namespace fade
