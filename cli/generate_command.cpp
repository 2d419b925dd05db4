// `fade generate`: text from a checkpoint.
#include <optional>

#include "cli/command.h"
#include "engine/io/input.h"
#include "train/generate.h"

namespace fade {
namespace {

struct Generate {
  CheckpointArguments checkpoint;
  std::string prompt;
  std::optional<std::string> prompt_file;
  GenerateOptions options;

  explicit Generate(CLI::App& app) : checkpoint(app) {
    CLI::Option* const text = app.add_option("--prompt", prompt, "text to continue");
    app.add_option("--prompt-file", prompt_file, "file with the text to continue; - is standard input")
        ->excludes(text);
    add_number(app, "--bytes", options.bytes, {0, 1e12}, "how many bytes to write")->capture_default_str();
    add_number(app, "--temperature", options.temperature, {0, 1000}, "0: always the likeliest byte")
        ->capture_default_str();
    add_number(app, "--top-k", options.top_k, {0, 256}, "sample among the k likeliest bytes (0: all)")
        ->capture_default_str();
    add_number(app, "--seed", options.seed, range_of("seed"), "of the random samples")->capture_default_str();
  }
  void run() const {
    std::string text = prompt;
    GenerateOptions with = options;
    if (prompt_file) {
      Input in(*prompt_file);
      text = in.read_all();
      with.prompt_name = in.name();
    }
    const LoadedModel loaded = checkpoint.load();
    generate(*loaded.model, text, with, [](char c) { write_stdout({&c, 1}); });
    if (stdout_is_terminal())
      write_stdout("\n");  // a file or a program gets the text alone
    else if (standard_streams_meet())
      write_stderr("\n");
    say_which(loaded.which);
  }
};

}  // namespace

void add_generate(Program& program) { add_command<Generate>(program, "generate", "text from a checkpoint"); }

}  // namespace fade
