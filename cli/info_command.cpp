// `fade info`: the contents of a checkpoint.
#include "cli/command.h"
#include "train/config/file.h"

namespace fade {
namespace {

struct Info {
  CheckpointArguments checkpoint;

  explicit Info(CLI::App& app) : checkpoint(app) {}
  void run() const {
    const LoadedModel loaded = checkpoint.load();
    fmt::print("{}\n{} parameters in {} tensors\n", loaded.file.string(), loaded.model->parameters().count(),
               loaded.model->parameters().all().size());
    for (const Parameter& p : loaded.model->parameters().all())
      fmt::print("  {:<34} {}\n", p.name, p.value().shape().str());
    fmt::print("\n{}", to_yaml(loaded.config));
    say_which(loaded.which);
  }
};

}  // namespace

void add_info(Program& program) { add_command<Info>(program, "info", "the contents of a checkpoint"); }

}  // namespace fade
