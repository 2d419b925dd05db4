#include "cli/commands.h"

#include <sstream>

#include "cli/command.h"
#include "cli/version.h"
#include "engine/io/utf8.h"
#include "train/call.h"

namespace fade {
namespace {

// The arguments that a command does not have, in their order, and the option that the first one may be
// meant to be.
std::string unexpected(const CLI::App& command) {
  std::vector<std::string> options;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  const std::vector<std::string> words = command.remaining(true);
  const std::string first = words.front().substr(0, words.front().find('='));
  return fmt::format("unexpected {}: {}{}", words.size() > 1 ? "arguments" : "argument",
                     fmt::join(words, " "), suggestion(first, {options.begin(), options.end()}));
}

// Throws what the arguments have wrong, of which `first` is the first.
[[noreturn]] void complain(const CLI::App& app, const std::string& first, const CLI::ParseError& e) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    names.push_back(command->get_name());
    if (command->get_name() != first) continue;
    const bool extra = e.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
    throw UsageError(first, extra && !command->remaining(true).empty() ? unexpected(*command) : e.what());
  }
  if (first.empty()) refuse("a command is missing (commands: {})", fmt::join(names, ", "));
  if (first.starts_with('-'))
    refuse("{}: no such option{}", first, suggestion(first, {"--help", "--version"}));
  refuse("{}: no such command{} (commands: {})", first, suggestion(first, {names.begin(), names.end()}),
         fmt::join(names, ", "));
}

// All ranks read their arguments before any of them begins.
void run_command(int argc, char** argv, const Ranks& ranks) {
  Program program(ranks);
  program.require_subcommand(1);
  program.set_version_flag("--version", version_text, "print version, compiler, devices and instruction set");
  for (const auto add : {add_train, add_compare, add_eval, add_generate, add_compress, add_decompress,
                         add_grad, add_bench, add_trace, add_explain, add_spans, add_report, add_info})
    add(program);
  ranks.together([&] {
    try {
      program.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      if (e.get_exit_code() != 0) complain(program, argc > 1 ? argv[1] : "", e);
      std::ostringstream text;  // of --help or --version
      program.exit(e, text);
      if (ranks.leads()) write_stdout(text.str());
    }
  });
  if (program.command) program.command();
}

}  // namespace

int run_command_line(int argc, char** argv) {
  if (argc > 0) set_program(argv[0]);
  try {
    try {
      run_ranks([&](const Ranks& ranks) { run_command(argc, argv, ranks); });
    } catch (const std::system_error& e) {  // of fmt::print, when it cannot write
      flush_stdout(e.code().value());
      throw;
    }
    flush_stdout();
    return 0;
  } catch (const UsageError& e) {
    print_stderr("{}\n(fade {} --help lists its arguments)", printable(e.what()), e.command);
    return 2;
  } catch (const InputError& e) {
    print_stderr("fade: {}", printable(e.what()));
    return 2;
  } catch (const ReaderGone&) {
    return 1;  // in silence, as other programs in a pipeline
  } catch (const std::bad_alloc&) {
    print_stderr("fade: out of memory (use a smaller model, batch or file, or a machine with more)");
  } catch (const std::exception& e) {
    print_stderr("fade: {}", printable(e.what()));
  }
  return 1;
}

}  // namespace fade
