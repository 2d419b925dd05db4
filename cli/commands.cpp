#include "cli/commands.h"

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

// Says in one line, which begins with the command, why the arguments are wrong. Returns the exit code.
int complain(const CLI::App& app, const std::string& first, const CLI::ParseError& e) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    names.push_back(command->get_name());
    if (command->get_name() != first) continue;
    const bool extra = e.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
    print_stderr("fade {0}: {1}\n(fade {0} --help lists its arguments)", first,
                 printable(extra && !command->remaining(true).empty() ? unexpected(*command) : e.what()));
    return 2;
  }
  if (first.empty())
    print_stderr("fade: a command is missing (commands: {})", fmt::join(names, ", "));
  else if (first.starts_with('-'))
    print_stderr("fade: {}: no such option{}", printable(first), suggestion(first, {"--help", "--version"}));
  else
    print_stderr("fade: {}: no such command{} (commands: {})", printable(first),
                 suggestion(first, {names.begin(), names.end()}), fmt::join(names, ", "));
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"fade: train transformers that learn what to forget (Expire-Span)", "fade"};
  app.require_subcommand(1);
  if (argc > 0) set_program(argv[0]);
  app.add_flag_callback(
      "--version",
      [] {
        write_stdout(version_text() + "\n");
        throw CLI::Success();
      },
      "print version, compiler, devices and instruction set");
  for (const auto add : {add_train, add_compare, add_eval, add_generate, add_compress, add_decompress,
                         add_grad, add_bench, add_trace, add_explain, add_spans, add_report, add_info})
    add(app);
  try {
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
      if (e.get_exit_code() != 0) return complain(app, argc > 1 ? argv[1] : "", e);
      app.exit(e);                          // --help
    } catch (const std::system_error& e) {  // of fmt::print, when it cannot write
      flush_stdout(e.code().value());
      throw;
    }
    flush_stdout();
    return 0;
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
