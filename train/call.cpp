#include "train/call.h"

#include <string_view>

namespace fade {
namespace {

std::string& program() {
  static std::string name = "fade";
  return name;
}

std::string quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

}  // namespace

void set_program(const std::string& name) { program() = name; }

std::string call_of(const std::vector<std::string>& arguments) {
  std::string call = quoted(program());
  for (const std::string& argument : arguments) call += " " + quoted(argument);
  return call;
}

}  // namespace fade
