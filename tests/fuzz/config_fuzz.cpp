// Configurations: the file up to the first NUL byte, then one --set after each NUL byte. An accepted
// configuration is written and read back the same.
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "train/config/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fade;
  std::string_view left = fuzz::text_of(data, size);
  const std::string_view file = left.substr(0, left.find('\0'));
  std::vector<std::string> sets;
  for (left.remove_prefix(file.size()); !left.empty(); left.remove_prefix(1 + sets.back().size()))
    sets.emplace_back(left.substr(1, left.find('\0', 1) - 1));
  fuzz::allow_refusal([&] {
    const std::string yaml = to_yaml(parse_config(file, "fuzz", sets));
    fuzz::require(to_yaml(parse_config(yaml, "written")) == yaml, "what is written reads back the same");
  });
  return 0;
}
