// What the commands of the command line have in common.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

#include "engine/parallel.h"
#include "train/checkpoint/checkpoint.h"
#include "train/config/config.h"

namespace fade {

/// The value of an enum by the name that configurations give it. Throws InputError, naming the option.
template <class E>
E parse_name(const std::string& option, const std::string& name) {
  const auto it = std::ranges::find(names_of<E>, name);
  if (it == names_of<E>.end()) refuse("{} {}: allowed: {}", option, name, fmt::join(names_of<E>, ", "));
  return static_cast<E>(it - names_of<E>.begin());
}

/// Of options that are numbers: refuses those below `low`.
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

/// One command: its options, filled by CLI11, and what it does.
struct Command {
  virtual ~Command() = default;
  virtual void run() = 0;
};

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
    LoadedModel loaded = load_model(path, parse_name<DeviceChoice>("--device", device),
                                    [](const std::filesystem::path&, const std::string& what) {
                                      fmt::print(stderr, "warning: {}; taking the checkpoint before\n", what);
                                    });
    set_threads(threads ? threads : loaded.config.threads);
    return loaded;
  }
};

}  // namespace fade
