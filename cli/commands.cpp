#include "cli/commands.h"

#include <fmt/format.h>

#include "cli/command.h"

namespace fade {
namespace {

struct Entry {
  const char* name;
  const char* description;
  std::unique_ptr<Command> (*make)(CLI::App&);
};

constexpr Entry kCommands[] = {
    {"train", "train a model", make_train},
    {"compare", "train several models on the same data and compare them", make_compare},
    {"eval", "bits per byte of a checkpoint", make_eval},
    {"generate", "text from a checkpoint", make_generate},
    {"compress", "compress a file with a checkpoint's predictions", make_compress},
    {"decompress", "decompress a file that compress wrote", make_decompress},
    {"grad", "losses and gradients on given bytes, for comparison", make_grad},
    {"bench", "time, speed and memory of one training step", make_bench},
    {"info", "the contents of a checkpoint", make_info},
};

// Says in one line, which begins with the command, why the arguments are wrong. Returns the exit code.
int complain(const std::string& first, const CLI::ParseError& e) {
  std::string names;
  for (const Entry& entry : kCommands) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
    if (entry.name != first) continue;
    fmt::print(stderr, "fade {0}: {1}\n(fade {0} --help lists its arguments)\n", first, e.what());
    return 2;
  }
  fmt::print(stderr, "fade: {} (commands: {})\n",
             first.empty() ? "a command is missing" : first + ": no such command", names);
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"fade: train transformers that learn what to forget (Expire-Span)", "fade"};
  app.require_subcommand(1);
  std::vector<std::unique_ptr<Command>> commands;
  for (const Entry& entry : kCommands) {
    CLI::App* sub = app.add_subcommand(entry.name, entry.description);
    commands.push_back(entry.make(*sub));
    sub->callback([command = commands.back().get()] { command->run(); });
  }
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help
    return complain(argc > 1 ? argv[1] : "", e);
  } catch (const InputError& e) {
    fmt::print(stderr, "fade: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "fade: {}\n", e.what());
    return 1;
  }
}

}  // namespace fade
