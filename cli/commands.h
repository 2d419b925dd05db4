// The command line: `fade train | eval | generate | compress | decompress | grad | bench | info`.
#pragma once

namespace fade {

/// Runs one command. Returns the exit code: 0 done, 1 the work failed, 2 the call or its input was wrong.
/// Errors go to standard error, one clear line first; results to standard output.
int run_command_line(int argc, char** argv);

}  // namespace fade
