// The command line of the program: its commands, their errors and exit codes.
#pragma once

namespace fade {

/// Runs one command. Returns the exit code: 0 done, 1 the work failed, 2 the arguments or their input were
/// wrong. Results go to standard output, errors to standard error, one line first.
int run_command_line(int argc, char** argv);

}  // namespace fade
