#include "cli/commands.h"

#include "cli/command.h"
#include "train/call.h"

namespace fade {
namespace {

// Says in one line, which begins with the command, why the arguments are wrong. Returns the exit code.
int complain(const CLI::App& app, const std::string& first, const CLI::ParseError& e) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    names += (names.empty() ? "" : ", ") + command->get_name();
    if (command->get_name() != first) continue;
    print_stderr("fade {0}: {1}\n(fade {0} --help lists its arguments)", first, e.what());
    return 2;
  }
  print_stderr("fade: {} (commands: {})",
               first.empty() ? "a command is missing" : first + ": no such command", names);
  return 2;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{"fade: train transformers that learn what to forget (Expire-Span)", "fade"};
  app.require_subcommand(1);
  if (argc > 0) set_program(argv[0]);
  for (const auto add : {add_train, add_compare, add_eval, add_generate, add_compress, add_decompress,
                         add_grad, add_bench, add_info})
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
    print_stderr("fade: {}", e.what());
    return 2;
  } catch (const std::bad_alloc&) {
    print_stderr("fade: out of memory (use a smaller model, batch or file, or a machine with more)");
  } catch (const std::exception& e) {
    print_stderr("fade: {}", e.what());
  }
  return 1;
}

}  // namespace fade
