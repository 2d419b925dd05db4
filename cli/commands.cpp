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
int complain(const CLI::App& app, const std::vector<std::string>& words, const CLI::ParseError& e) {
  const auto known = app.get_subcommands([](const CLI::App*) { return true; });
  const bool command = !words.empty() && std::ranges::any_of(known, [&](const CLI::App* sub) {
    return sub->get_name() == words.front();
  });
  if (command) {
    fmt::print(stderr, "fade {}: {}\n(fade {} --help lists its arguments)\n", words.front(), e.what(),
               words.front());
    return 2;
  }
  std::string names;
  for (const CLI::App* sub : known) names += (names.empty() ? "" : ", ") + sub->get_name();
  if (words.empty())
    fmt::print(stderr, "fade: a command is missing (commands: {})\n", names);
  else
    fmt::print(stderr, "fade: {}: no such command (commands: {})\n", words.front(), names);
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"fade: train transformers that learn what to forget (Expire-Span)", "fade"};
  app.require_subcommand(1);
  std::vector<std::unique_ptr<Command>> commands;
  Command* chosen = nullptr;
  for (const Entry& entry : kCommands) {
    CLI::App* sub = app.add_subcommand(entry.name, entry.description);
    commands.push_back(entry.make(*sub));
    sub->callback([command = commands.back().get(), &chosen] { chosen = command; });
  }
  try {
    app.parse(argc, argv);
    chosen->run();
    return 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help
    return complain(app, {argv + 1, argv + argc}, e);
  } catch (const InputError& e) {
    fmt::print(stderr, "fade: {}\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "fade: {}\n", e.what());
    return 1;
  }
}

}  // namespace fade
