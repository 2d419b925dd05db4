// How a user would call this program: for hints that name the command to type.
#pragma once

#include <string>
#include <vector>

namespace fade {

/// Sets the program's name, as it was called: argv[0]. Until then it is "fade".
void set_program(const std::string& name);

/// The call of this program with these arguments, quoted for a POSIX shell: "build/fade train
/// --resume 'my run'".
std::string call_of(const std::vector<std::string>& arguments);

}  // namespace fade
