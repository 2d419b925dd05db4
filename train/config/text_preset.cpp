#include "train/config/text_preset.h"

#include <fmt/format.h>

#include <system_error>

#include "engine/error.h"
#include "engine/io/input.h"
#include "train/call.h"
#include "train/config/file.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

// A file named conf or c.yaml.bak must not be taken for a text.
void refuse_configuration(const std::string& path) {
  constexpr size_t kMost = 1 << 16;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored) || fs::file_size(path, ignored) > kMost) return;
  if (reads_as_config(read_file(path)))
    refuse("{}: reads as a configuration, but is not named as one (give it a name that ends in .yaml)", path);
}

}  // namespace

bool is_configuration_name(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

Config config_for_text(const std::string& path, const std::vector<std::string>& overrides) {
  if (path != "-" && !path_exists(path))
    refuse("{}: no such file (give a text to train on, or a configuration, whose name ends in .yaml)", path);
  if (fs::is_directory(path))
    refuse("{}: a directory, where a text or a configuration was expected (to continue a run: {})", path,
           call_of({"train", "--resume", path}));
  if (fs::is_character_file(path))
    refuse("{}: a device, which may have no end (copy what is to be read of it: head -c 1000000 {} >my_text)",
           path, path);
  if (fs::path(path).extension() == ".safetensors")
    refuse("{}: weights, where a text was expected (--from begins a run with them)", path);
  refuse_configuration(path);
  std::vector<std::string> all = {"data.path=" + path};
  all.insert(all.end(), overrides.begin(), overrides.end());
  return parse_config(kLaptopPreset, "the laptop preset", all);
}

std::optional<int64_t> text_bytes(const std::string& path) {
  constexpr int64_t kFewest = 3;  // for a byte of each split
  std::error_code unknown;
  if (!fs::is_regular_file(path, unknown)) return std::nullopt;
  const auto bytes = static_cast<int64_t>(fs::file_size(path));
  if (bytes < kFewest)
    refuse("{}: {} (a text to train on has thousands of bytes)", path, bytes ? "too short" : "empty");
  return bytes;
}

}  // namespace fade
