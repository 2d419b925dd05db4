// `fade generate`: text from a checkpoint.
#include "cli/command.h"
#include "train/generate.h"

namespace fade {
namespace {

struct Generate {
  CheckpointArguments checkpoint;
  std::string prompt;
  GenerateOptions options;

  explicit Generate(CLI::App& app) : checkpoint(app) {
    app.add_option("--prompt", prompt, "text to continue");
    app.add_option("--bytes", options.bytes, "how many bytes to write")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--temperature", options.temperature, "0: always the likeliest byte")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--top-k", options.top_k, "sample among the k likeliest bytes; 0: all")
        ->check(at_least(0))
        ->capture_default_str();
    app.add_option("--seed", options.seed, "of the random samples")->capture_default_str();
  }
  void run() const {
    const LoadedModel loaded = checkpoint.load();
    generate(*loaded.model, prompt, options, [](char c) { write_stdout({&c, 1}); });
    if (stdout_is_terminal()) write_stdout("\n");  // a file or a program gets the text alone
  }
};

}  // namespace

void add_generate(CLI::App& program) { add_command<Generate>(program, "generate", "text from a checkpoint"); }

}  // namespace fade
