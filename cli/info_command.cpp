// `fade info`: the contents of a checkpoint.
#include <fmt/format.h>

#include "cli/command.h"
#include "train/config/file.h"

namespace fade {
namespace {

struct Info final : Command {
  CheckpointArguments checkpoint;

  explicit Info(CLI::App& app) { checkpoint.declare(app); }
  void run() override {
    const LoadedModel loaded = checkpoint.load();
    fmt::print("{}\n{} parameters in {} tensors\n", loaded.file.string(), loaded.model->parameters().count(),
               loaded.model->parameters().all().size());
    for (const Parameter& p : loaded.model->parameters().all())
      fmt::print("  {:<34} {}\n", p.name, p.value().shape().str());
    fmt::print("\n{}", to_yaml(loaded.config));
  }
};

}  // namespace

std::unique_ptr<Command> make_info(CLI::App& app) { return std::make_unique<Info>(app); }

}  // namespace fade
