// The commands of the command line, and the arguments that several of them take.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "engine/parallel.h"
#include "train/checkpoint/weights.h"
#include "train/config/config.h"
#include "train/config/file.h"

namespace fade {

/// The value of an enum by the name that configurations give it. Throws InputError, naming the option.
template <class E>
E parse_name(const std::string& option, const std::string& name) {
  const auto it = std::ranges::find(names_of<E>, name);
  if (it == names_of<E>.end()) refuse("{} {}: allowed: {}", option, name, fmt::join(names_of<E>, ", "));
  return static_cast<E>(it - names_of<E>.begin());
}

/// A check of numeric options: refuses values below `low`.
inline CLI::Validator at_least(double low) {
  return CLI::Validator(
      [low](std::string& text) {
        double value = 0;
        const bool number = CLI::detail::lexical_cast(text, value);
        return number && value >= low ? std::string()
                                      : fmt::format("found {}, allowed: a number of at least {}", text, low);
      },
      "");
}

/// One command. Its constructor declares its arguments, which CLI11 fills before run() is called.
struct Command {
  virtual ~Command() = default;
  virtual void run() = 0;
};

/// The override of a configuration for which an option --device stands; none when it was not given.
inline std::vector<std::string> device_override(const std::string& device) {
  if (device.empty()) return {};
  return {fmt::format("device={}", name_of(parse_name<DeviceChoice>("--device", device)))};
}

/// A configuration file and overrides of it.
struct ConfigArguments {
  std::string path;
  std::vector<std::string> sets;

  void declare(CLI::App& app) {
    app.add_option("CONFIG", path, "configuration file (YAML; docs/configuration.md lists the keys)")
        ->required();
    app.add_option("--set", sets, "key.path=value: overrides a key of the configuration; may be repeated")
        ->allow_extra_args(false);
  }
  /// Of keys set more than once, the last wins: a command's defaults, --set, then a command's own options.
  /// Sets the number of threads, too.
  Config load(const std::vector<std::string>& options = {},
              const std::vector<std::string>& defaults = {}) const {
    std::vector<std::string> all = defaults;
    all.insert(all.end(), sets.begin(), sets.end());
    all.insert(all.end(), options.begin(), options.end());
    const Config config = load_config(path, all);
    set_threads(config.threads);
    return config;
  }
};

/// A checkpoint to load, and where.
struct CheckpointArguments {
  std::string path, device = "auto";
  int threads = 0;

  void declare(CLI::App& app) {
    app.add_option("CHECKPOINT", path, "a run directory, a checkpoint directory, or a model.safetensors")
        ->required();
    app.add_option("--device", device, "auto, cpu or cuda")->capture_default_str();
    app.add_option("--threads", threads, "threads to use (default: the configuration's)")->check(at_least(1));
  }
  LoadedModel load() const {
    LoadedModel loaded =
        load_model(path, parse_name<DeviceChoice>("--device", device),
                   [](const std::filesystem::path&, const std::string& what) {
                     fmt::print(stderr, "warning: {}; taking the checkpoint before it\n", what);
                   });
    set_threads(threads ? threads : loaded.config.threads);
    return loaded;
  }
};

// The commands, each in a file of its own: they declare their arguments in `app`.
std::unique_ptr<Command> make_train(CLI::App& app);
std::unique_ptr<Command> make_compare(CLI::App& app);
std::unique_ptr<Command> make_eval(CLI::App& app);
std::unique_ptr<Command> make_generate(CLI::App& app);
std::unique_ptr<Command> make_compress(CLI::App& app);
std::unique_ptr<Command> make_decompress(CLI::App& app);
std::unique_ptr<Command> make_grad(CLI::App& app);
std::unique_ptr<Command> make_bench(CLI::App& app);
std::unique_ptr<Command> make_info(CLI::App& app);

}  // namespace fade
